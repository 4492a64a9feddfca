#pragma once
// Non-local attention denoising: each pixel's patch attends to the patches around it, weights exp(-|p_i - p_j|² / 2h²),
// and the pixel becomes the weighted sum of theirs. (Buades, Coll & Morel 2005; the Gaussian non-local operation of
// Wang et al. 2018, eq. 2)

#include "denoise/image.hpp"

#include <fovea/fovea.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

namespace denoise {

struct Settings {
  int patch_radius = 2;   // patches of (2r+1)² pixels, three channels
  int search_radius = 7;  // patches up to this many pixels away, per axis
  double noise = 0.1;     // sigma, the standard deviation of the picture's noise; below 1e-3 it counts as that, which
                          // is less than what rounding to 8 bits leaves, 1/(255 sqrt(12))
  double strength = 5;    // how many sigma make h

  // h, in the units of |p_i - p_j|: the deviation of that between two noisy copies of one patch grows with sigma alone.
  double bandwidth() const { return strength * std::max(noise, 1e-3); }

  // What the pixel itself counts as |p_i - p_i|²: not 0, which would let its noise outweigh all others, but what two noisy
  // copies of one patch are expected to have, 2 sigma² for each of their 3(2r+1)² values. So it weighs as a neighbour with
  // the same content does; and where nothing is like it, it stays what it is.
  double self_distance() const {
    const double side = 2 * patch_radius + 1, sigma = bandwidth() / strength;
    return 6 * side * side * sigma * sigma;
  }
};

// A picture is cut into square blocks, each one run of the same plan, so that any size fits any device.
class Denoiser {
 public:
  static constexpr std::int64_t block = 128;  // pixels on a side of one run

  // tune_seconds: how long to measure kernels first; 0: take those that Fovea prefers.
  static fovea::Result<Denoiser> create(fovea::Context& context, const Settings& settings, double tune_seconds = 0);

  // progress(done, all) after each block. The picture is continued by reflection at its edges.
  fovea::Result<Image> run(const Image& noisy, const std::function<void(std::size_t, std::size_t)>& progress);

  // The dispatches of one block with their times summed over all blocks of the last run, and the rest of a report.
  const fovea::Report& report() const { return report_; }
  std::string program_text() const { return plan_.program_text(); }
  const fovea::TuneReport& tuning() const { return tuning_; }  // of create

 private:
  Denoiser(fovea::Plan plan, const Settings& settings, fovea::TuneReport tuning)
      : plan_(std::move(plan)), settings_(settings), tuning_(std::move(tuning)) {}
  fovea::Plan plan_;
  Settings settings_;
  fovea::TuneReport tuning_;
  fovea::Report report_;
};

// Where pixel (x, y) looks: its weights over the (2·search_radius+1)² patches around it, rows from the top, sum 1.
fovea::Result<std::vector<float>> attention_map(fovea::Context& context, const Image& noisy, const Settings& settings,
                                                std::int64_t x, std::int64_t y);

// The same by naive loops in double: pixel (x, y) of the result, three channels. For tests and --check.
std::array<double, 3> reference_pixel(const Image& noisy, const Settings& settings, std::int64_t x, std::int64_t y);

}  // namespace denoise
