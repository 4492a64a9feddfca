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

double estimate_noise(const Image& picture) {
  std::vector<float> responses;
  for (int c = 0; c < 3; ++c)
    for (std::int64_t y = 1; y + 1 < picture.height; ++y)
      for (std::int64_t x = 1; x + 1 < picture.width; ++x) {
        const auto p = [&](std::int64_t dy, std::int64_t dx) { return picture.at(c, y + dy, x + dx); };
        responses.push_back(std::abs(p(-1, -1) + p(-1, 1) + p(1, -1) + p(1, 1) - 2 * (p(-1, 0) + p(1, 0) + p(0, -1) + p(0, 1)) + 4 * p(0, 0)));
      }
  if (responses.empty()) return 0;
  const auto middle = responses.begin() + static_cast<std::ptrdiff_t>(responses.size() / 2);
  std::nth_element(responses.begin(), middle, responses.end());
  return static_cast<double>(*middle) / (6 * 0.6744897501960817);  // the kernel's norm is 6; median of |normal| is 0.674 sigma
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
