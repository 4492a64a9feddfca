#pragma once
// Planar RGB pictures, and what is measured of them.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace denoise {

// [3, height, width], display-referred values, 0..1 but for noise.
struct Image {
  std::int64_t width = 0, height = 0;
  std::vector<float> values{};

  Image() = default;
  Image(std::int64_t w, std::int64_t h) : width(w), height(h), values(static_cast<std::size_t>(3 * w * h)) {}
  float& at(int c, std::int64_t y, std::int64_t x) { return values[static_cast<std::size_t>((c * height + y) * width + x)]; }
  float at(int c, std::int64_t y, std::int64_t x) const { return values[static_cast<std::size_t>((c * height + y) * width + x)]; }
};

// Position i of a line of n pixels continued by reflection, edge pixels not repeated.
inline std::int64_t reflect(std::int64_t i, std::int64_t n) {
  if (n == 1) return 0;
  const std::int64_t period = 2 * n - 2;
  i = ((i % period) + period) % period;
  return i < n ? i : period - i;
}

// 10 log10(1 / mean squared difference), in dB.
double psnr(const Image& a, const Image& b);

// Adds normal noise of this standard deviation; the same for the same seed. Values are not clamped.
Image add_noise(const Image& clean, double sigma, std::uint32_t seed);

// The standard deviation of the noise in a picture. The absolute response of a kernel that removes planes (Immerkær 1996)
// has its median taken in each channel of every block of 16x16 pixels, and of these medians the lower quartile stands for
// the picture: texture adds to a block's, and nothing but noise is in the least. Blocks that tell nothing of the noise are
// left out: flat to the last bit, or with over 1/8 of their values clipped (0 or less, 1 or more). Nothing when none is left.
std::optional<double> estimate_noise(const Image& picture);

Image gaussian_blur(const Image& picture, double sigma);

// The blur of noisy with the highest PSNR against clean: the best that a linear, uniform filter does.
struct BestBlur {
  double sigma = 0, psnr = 0;
};
BestBlur best_blur(const Image& noisy, const Image& clean);

}  // namespace denoise
