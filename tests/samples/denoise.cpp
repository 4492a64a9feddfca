// The main job: the sample's denoiser against naive loops in double, and what it must gain on the rendered scene; what it
// takes for noise, and leaves alone.

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
  const Settings settings{.noise = 0.1};
  const Image result = denoised(noisy, settings);
  CHECK(distance_from_reference(result, noisy, settings, 37) < 1e-4);
  const double before = psnr(noisy, clean), after = psnr(result, clean), blur = best_blur(noisy, clean).psnr;
  INFO("before ", before, " dB, after ", after, " dB, best blur ", blur, " dB");
  CHECK(after >= before + 4);
  CHECK(after >= blur + 1);
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a picture that fills no block is within 1e-4 of the double reference in every row") {
  for (const auto& size : {std::array{150, 137}, {17, 3}, {1, 1}}) {
    const std::int64_t width = size[0], height = size[1];
    CAPTURE(width);
    const auto [clean, noisy] = scene(width, height);
    const Settings settings{.noise = 0.1};
    CHECK(distance_from_reference(denoised(noisy, settings), noisy, settings, 7) < 1e-4);
  }
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("the attention map is a distribution over the search window that gives the pixel's double reference") {
  const Settings settings{.search_radius = 5, .noise = 0.1};
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
  const auto expected = reference_pixel(noisy, settings, 3, 60);
  for (std::size_t c = 0; c < 3; ++c) CHECK(pixel[c] == doctest::Approx(expected[c]).epsilon(1e-4));
}

TEST_CASE("where all patches are alike, the pixel itself weighs exp(-n sigma²/h²) of another, n the values of a patch") {
  Image grey(40, 40);
  std::fill(grey.values.begin(), grey.values.end(), 0.7f);
  for (const Settings& settings : {Settings{.search_radius = 3}, Settings{.patch_radius = 1, .search_radius = 3, .strength = 3}}) {
    const auto weights = attention_map(fovea::test::context(), grey, settings, 20, 20);
    REQUIRE_MESSAGE(weights, weights.error().message);
    const double own = std::exp(-3.0);  // 3·25 / 5², and 3·9 / 3²
    for (std::size_t i = 0; i < 49; ++i)
      CHECK((*weights)[i] == doctest::Approx((i == 24 ? own : 1.0) / (48 + own)).epsilon(1e-4));
  }
}

namespace {

// What stands in text and drawings: lines of one pixel, a lone dot, a small square, a slope; on a flat ground.
Image drawing(float ground) {
  Image image(150, 90);
  std::fill(image.values.begin(), image.values.end(), ground);
  const auto put = [&](std::int64_t x, std::int64_t y, std::array<float, 3> color) {
    for (int c = 0; c < 3; ++c) image.at(c, y, x) = color[static_cast<std::size_t>(c)];
  };
  for (std::int64_t x = 10; x < 60; ++x) put(x, 20 + x / 3, {0, 0, 1});
  for (std::int64_t y = 10; y < 19; ++y)
    for (std::int64_t x = 70; x < 140; x += 2 + y % 3) put(x, y, {0, 0, 0});
  put(100, 60, {0, 0, 0});
  for (std::int64_t i = 0; i < 9; ++i) put(120 + i % 3, 60 + i / 3, {0, 0.6f, 0});
  return image;
}

Image round_to_8_bits(Image image) {
  for (float& value : image.values) value = std::round(std::clamp(value, 0.0f, 1.0f) * 255) / 255;
  return image;
}

}  // namespace

TEST_CASE("a drawing without noise comes back as it was") {
  for (const float ground : {1.0f, 0.6f}) {
    CAPTURE(ground);
    const Image clean = drawing(ground);
    const double noise = estimate_noise(clean).value_or(0);
    CHECK(noise == 0);
    const Image result = denoised(clean, {.noise = noise});
    float most = 0;
    for (std::size_t i = 0; i < clean.values.size(); ++i) most = std::max(most, std::abs(result.values[i] - clean.values[i]));
    CHECK(most < 0.5f / 255);  // none of its 8-bit values changes
  }
  for (const auto& message : fovea::test::take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("noise is estimated within a tenth, and so where most of the picture is blown out or flat") {
  const Image clean = scene(320, 240).clean;
  for (const double noise : {0.01, 0.03, 0.1}) {
    CAPTURE(noise);
    const auto noisy = round_to_8_bits(add_noise(clean, noise, 3));
    const auto cover = [](Image image, float value) {
      for (int c = 0; c < 3; ++c)
        for (std::int64_t y = 0; y < 160; ++y)
          for (std::int64_t x = 0; x < 320; ++x) image.at(c, y, x) = value;
      return image;
    };
    const Image blown_out = round_to_8_bits(add_noise(cover(clean, 1), noise, 3));  // half of its noise is clipped
    for (const Image& picture : {noisy, cover(noisy, 1), cover(noisy, 0.5f), blown_out}) {
      const auto estimate = estimate_noise(picture);
      REQUIRE(estimate);
      CHECK(*estimate == doctest::Approx(noise).epsilon(0.1));
    }
  }
}

TEST_CASE("a picture that tells nothing of its noise has no estimate") {
  Image grey(64, 64), white(64, 64);
  std::fill(grey.values.begin(), grey.values.end(), 0.4f);
  std::fill(white.values.begin(), white.values.end(), 1.0f);
  for (const Image& picture : {grey, add_noise(white, 0, 1), Image(1, 1), add_noise(Image(2, 120), 0.05, 1), Image()})
    CHECK_FALSE(estimate_noise(picture));
}
