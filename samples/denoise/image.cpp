#include "denoise/image.hpp"

#include <algorithm>
#include <numbers>
#include <random>

namespace denoise {

double psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    const double difference = static_cast<double>(a.values[i]) - static_cast<double>(b.values[i]);
    sum += difference * difference;
  }
  return -10 * std::log10(sum / static_cast<double>(a.values.size()));
}

Image add_noise(const Image& clean, double sigma, std::uint32_t seed) {
  Image noisy = clean;
  std::mt19937 generator(seed);
  const auto uniform = [&] { return (static_cast<double>(generator()) + 0.5) * 0x1p-32; };
  for (float& value : noisy.values) {  // Box-Muller: the same numbers with every standard library
    const double radius = std::sqrt(-2 * std::log(uniform()));
    value += static_cast<float>(sigma * radius * std::cos(2 * std::numbers::pi * uniform()));
  }
  return noisy;
}

namespace {

float take_quantile(std::vector<float>& values, double share) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size()));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// The median response of one channel of the block of side x side pixels at (y0, x0); nothing when the block tells none.
std::optional<float> block_response(const Image& picture, int c, std::int64_t y0, std::int64_t x0, std::int64_t side) {
  std::vector<float> responses;
  std::size_t clipped = 0;
  bool flat = true;
  for (std::int64_t y = y0; y < std::min(y0 + side, picture.height - 1); ++y)
    for (std::int64_t x = x0; x < std::min(x0 + side, picture.width - 1); ++x) {
      const auto p = [&](std::int64_t dy, std::int64_t dx) { return picture.at(c, y + dy, x + dx); };
      responses.push_back(std::abs(p(-1, -1) + p(-1, 1) + p(1, -1) + p(1, 1) - 2 * (p(-1, 0) + p(1, 0) + p(0, -1) + p(0, 1)) + 4 * p(0, 0)));
      clipped += p(0, 0) <= 0 || p(0, 0) >= 1;
      flat = flat && p(0, 0) == picture.at(c, y0, x0);
    }
  // Of a quarter of a block the median is within some 15 % already; from less, at the picture's edges, none is taken.
  if (responses.size() < static_cast<std::size_t>(side * side / 4) || flat || clipped * 8 > responses.size()) return std::nullopt;
  return take_quantile(responses, 0.5);
}

}  // namespace

std::optional<double> estimate_noise(const Image& picture) {
  constexpr std::int64_t side = 16;
  std::vector<float> medians;
  for (int c = 0; c < 3; ++c)
    for (std::int64_t y = 1; y + 1 < picture.height; y += side)
      for (std::int64_t x = 1; x + 1 < picture.width; x += side)
        if (const auto median = block_response(picture, c, y, x, side)) medians.push_back(*median);
  if (medians.empty()) return std::nullopt;
  // The kernel's norm is 6; the median of |normal| is 0.674 sigma; of whole blocks of white noise the lower quartile is
  // 0.935 of that (simulated, 4096x4096).
  return static_cast<double>(take_quantile(medians, 0.25)) / (6 * 0.6744897501960817 * 0.935);
}

Image gaussian_blur(const Image& picture, double sigma) {
  const auto radius = static_cast<std::int64_t>(std::ceil(3 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (std::int64_t i = -radius; i <= radius; ++i) {
    const auto at = static_cast<double>(i);
    sum += weights.emplace_back(std::exp(-at * at / (2 * sigma * sigma)));
  }
  const auto pass = [&](const Image& from, bool along_x) {
    Image to(from.width, from.height);
    for (int c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < from.height; ++y)
        for (std::int64_t x = 0; x < from.width; ++x) {
          double value = 0;
          for (std::int64_t i = -radius; i <= radius; ++i)
            value += weights[static_cast<std::size_t>(i + radius)] *
                     static_cast<double>(along_x ? from.at(c, y, reflect(x + i, from.width)) : from.at(c, reflect(y + i, from.height), x));
          to.at(c, y, x) = static_cast<float>(value / sum);
        }
    return to;
  };
  return pass(pass(picture, true), false);
}

BestBlur best_blur(const Image& noisy, const Image& clean) {
  BestBlur best{0, psnr(noisy, clean)};
  for (double sigma = 0.4; sigma <= 3.0; sigma += 0.1) {
    const double result = psnr(gaussian_blur(noisy, sigma), clean);
    if (result > best.psnr) best = {sigma, result};
    else if (best.psnr - result > 1) break;  // PSNR over sigma has one peak
  }
  return best;
}

}  // namespace denoise
