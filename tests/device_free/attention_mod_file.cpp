// Files of attention's modifications: what is damaged or cut is refused.

#include <fovea/attention_mod.hpp>
#include <fovea/glsl.hpp>

#include <doctest/doctest.h>

#include <span>
#include <vector>

using namespace fovea;

TEST_CASE("attention mod: a damaged file is refused, and so is one that ends early") {
  const Result<AttentionMod> mod = glsl::compile({.score_mod = "score + bias(h)", .mask_mod = "j <= i + 3", .buffers = {{"bias"}}});
  REQUIRE_MESSAGE(mod, mod.error().message);
  const std::vector<std::byte> bytes = mod->save();
  CHECK(AttentionMod::load(bytes));
  for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 200) {
    std::vector<std::byte> damaged = bytes;
    damaged[n] ^= std::byte{16};
    CHECK(!AttentionMod::load(damaged));
    CHECK(!AttentionMod::load(std::span(bytes).first(n)));
  }
}
