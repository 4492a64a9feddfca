// The main job: the sample's denoiser against naive loops in double, and what it must gain on the rendered scene.

#include "denoise/denoiser.hpp"
#include "denoise/scene.hpp"
#include "tests/support/check.hpp"

#include <algorithm>

using namespace denoise;

namespace {

// Parts of the scene, so that the slowest driver finishes: the acceptance at 512x512 is the sample's own run.
constexpr std::int64_t width = 150, height = 137;

Image denoised(const Image& noisy, const Settings& settings) {
  auto denoiser = Denoiser::create(fovea::test::context(), settings);
  REQUIRE_MESSAGE(denoiser, denoiser.error().message);
  std::size_t calls = 0;
  auto result = denoiser->run(noisy, [&](std::size_t done, std::size_t all) {
    CHECK(done == ++calls);
    CHECK(done <= all);
  });
  REQUIRE_MESSAGE(result, result.error().message);
  CHECK(calls == 4);
  return *result;
}

}  // namespace

TEST_CASE("every pixel is within 1e-4 of the double reference, and the picture gains more than any blur") {
  auto scene = render_scene(fovea::test::context(), width, height);
  REQUIRE_MESSAGE(scene, scene.error().message);
  const Image noisy = add_noise(*scene, 0.1, 7);
  const Settings settings{.bandwidth = bandwidth_for(0.1)};
  const Image result = denoised(noisy, settings);

  double most = 0;
  for (std::int64_t y = 0; y < height; y += 3)
    for (std::int64_t x = y % 3; x < width; x += 3) {
      const auto expected = reference_pixel(noisy, settings, x, y);
      for (int c = 0; c < 3; ++c)
        most = std::max(most, std::abs(static_cast<double>(result.at(c, y, x)) - expected[static_cast<std::size_t>(c)]));
    }
  CHECK(most < 1e-4);
  const double before = psnr(noisy, *scene), after = psnr(result, *scene), blur = best_blur(noisy, *scene).psnr;
  INFO("before ", before, " dB, after ", after, " dB, best blur ", blur, " dB");
  CHECK(after >= before + 4);
  CHECK(after >= blur + 1);
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("the attention map is a distribution over the search window that leaves the pixel itself out") {
  auto scene = render_scene(fovea::test::context(), 64, 64);
  REQUIRE(scene);
  const Settings settings{.search_radius = 5, .bandwidth = bandwidth_for(0.1)};
  const Image noisy = add_noise(*scene, 0.1, 7);
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
