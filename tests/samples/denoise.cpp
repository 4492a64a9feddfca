// The main job: the sample's denoiser against naive loops in double, and what it must gain on the rendered scene.

#include "denoise/denoiser.hpp"
#include "denoise/scene.hpp"
#include "tests/support/check.hpp"

#include <algorithm>

using namespace denoise;

namespace {

// Rendered and made noisy.
struct Pictures {
  Image clean, noisy;
};
Pictures scene(std::int64_t width, std::int64_t height) {
  auto clean = render_scene(fovea::test::context(), width, height);
  REQUIRE_MESSAGE(clean, clean.error().message);
  return {*clean, add_noise(*clean, 0.1, 7)};
}

Image denoised(const Image& noisy, const Settings& settings) {
  auto denoiser = Denoiser::create(fovea::test::context(), settings);
  REQUIRE_MESSAGE(denoiser, denoiser.error().message);
  std::size_t calls = 0;
  auto result = denoiser->run(noisy, [&](std::size_t done, std::size_t all) {
    CHECK(done == ++calls);
    CHECK(done <= all);
  });
  REQUIRE_MESSAGE(result, result.error().message);
  const auto blocks = [](std::int64_t extent) { return static_cast<std::size_t>((extent + Denoiser::block - 1) / Denoiser::block); };
  CHECK(calls == blocks(noisy.width) * blocks(noisy.height));
  return *result;
}

// The largest distance from naive loops in double, over every step-th pixel.
double distance_from_reference(const Image& result, const Image& noisy, const Settings& settings, std::int64_t step) {
  double most = 0;
  for (std::int64_t y = 0; y < noisy.height; ++y)
    for (std::int64_t x = y * 5 % step; x < noisy.width; x += step) {
      const auto expected = reference_pixel(noisy, settings, x, y);
      for (int c = 0; c < 3; ++c)
        most = std::max(most, std::abs(static_cast<double>(result.at(c, y, x)) - expected[static_cast<std::size_t>(c)]));
    }
  return most;
}

}  // namespace

TEST_CASE("the scene at 512x512 gains 4 dB, and 1 dB more than by the best blur, within 1e-4 of the double reference") {
  const auto [clean, noisy] = scene(512, 512);
  const Settings settings{.bandwidth = bandwidth_for(0.1)};
  const Image result = denoised(noisy, settings);
  CHECK(distance_from_reference(result, noisy, settings, 37) < 1e-4);
  const double before = psnr(noisy, clean), after = psnr(result, clean), blur = best_blur(noisy, clean).psnr;
  INFO("before ", before, " dB, after ", after, " dB, best blur ", blur, " dB");
  CHECK(after >= before + 4);
  CHECK(after >= blur + 1);
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a picture that fills no block is within 1e-4 of the double reference in every row") {
  for (const auto [width, height] : {std::array{150, 137}, {17, 3}, {1, 1}}) {
    CAPTURE(width);
    const auto [clean, noisy] = scene(width, height);
    const Settings settings{.bandwidth = bandwidth_for(0.1)};
    CHECK(distance_from_reference(denoised(noisy, settings), noisy, settings, 7) < 1e-4);
  }
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("the attention map is a distribution over the search window that leaves the pixel itself out") {
  const Settings settings{.search_radius = 5, .bandwidth = bandwidth_for(0.1)};
  const Image noisy = scene(64, 64).noisy;
  const auto weights = attention_map(fovea::test::context(), noisy, settings, 3, 60);
  REQUIRE_MESSAGE(weights, weights.error().message);
  REQUIRE(weights->size() == 121);
  double sum = 0;
  std::array<double, 3> pixel{};
  for (std::int64_t i = 0; i < 121; ++i) {
    const double weight = (*weights)[static_cast<std::size_t>(i)];
    sum += weight;
    for (int c = 0; c < 3; ++c)
      pixel[static_cast<std::size_t>(c)] += weight * static_cast<double>(noisy.at(c, reflect(60 + i / 11 - 5, 64), reflect(3 + i % 11 - 5, 64)));
  }
  CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  CHECK((*weights)[60] == 0);
  const auto expected = reference_pixel(noisy, settings, 3, 60);
  for (std::size_t c = 0; c < 3; ++c) CHECK(pixel[c] == doctest::Approx(expected[c]).epsilon(1e-4));
}
