// fovea-denoise: non-local attention denoising of a picture, or of a scene it renders itself.
// Exit status: 0 done, 1 what was asked for could not be done, 2 wrong usage.

#include "denoise/denoiser.hpp"
#include "denoise/files.hpp"
#include "denoise/scene.hpp"

#include <fovea/io.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace {

using denoise::Image;
namespace fs = std::filesystem;

struct Options {
  std::string picture, out = "out/denoise", device;
  std::int64_t size = 512;
  std::optional<double> noise, sigma;
  double strength = 5, tune = 0;
  std::vector<std::int64_t> map_at;
  std::uint32_t seed = 1;
  bool validation = false;
  bool list_devices = false;
};

// Carries an Error to main, which prints it: a sample's own code may throw, the API never does.
struct Failure {
  fovea::Error error;
};
template <class T>
T check(fovea::Result<T> result) {
  if (!result) throw Failure{result.error()};
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// Pictures of one height next to each other, four white pixels between.
Image side_by_side(const std::vector<const Image*>& images) {
  constexpr std::int64_t gap = 4;
  std::int64_t width = -gap;
  for (const Image* image : images) width += image->width + gap;
  Image sheet(width, images[0]->height);
  std::fill(sheet.values.begin(), sheet.values.end(), 1.0f);
  std::int64_t x0 = 0;
  for (const Image* image : images) {
    for (int c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < image->height; ++y)
        for (std::int64_t x = 0; x < image->width; ++x) sheet.at(c, y, x0 + x) = image->at(c, y, x);
    x0 += image->width + gap;
  }
  return sheet;
}

// Black through red and yellow to white.
std::array<float, 3> heat(double t) {
  const auto ramp = [](double value) { return static_cast<float>(std::clamp(value, 0.0, 1.0)); };
  return {ramp(3 * t), ramp(3 * t - 1), ramp(3 * t - 2)};
}

// The neighbourhood of the pixel beside its weights, enlarged; the pixel itself is framed in green.
Image draw_map(const Image& noisy, const std::vector<float>& weights, int radius, std::int64_t x, std::int64_t y) {
  constexpr std::int64_t zoom = 16;
  const std::int64_t window = 2 * radius + 1;
  Image where(window * zoom, window * zoom), map(window * zoom, window * zoom);
  const double most = *std::max_element(weights.begin(), weights.end());
  for (std::int64_t py = 0; py < where.height; ++py)
    for (std::int64_t px = 0; px < where.width; ++px) {
      const std::int64_t wy = py / zoom, wx = px / zoom;
      const auto color = heat(std::sqrt(static_cast<double>(weights[static_cast<std::size_t>(wy * window + wx)]) / most));
      const bool centre = wy == radius && wx == radius;
      const bool frame = centre && (py % zoom < 2 || py % zoom >= zoom - 2 || px % zoom < 2 || px % zoom >= zoom - 2);
      for (int c = 0; c < 3; ++c) {
        const float source = noisy.at(c, denoise::reflect(y + wy - radius, noisy.height), denoise::reflect(x + wx - radius, noisy.width));
        where.at(c, py, px) = frame ? (c == 1 ? 1.0f : 0.0f) : source;
        map.at(c, py, px) = frame ? (c == 1 ? 1.0f : 0.0f) : color[static_cast<std::size_t>(c)];
      }
    }
  return side_by_side({&where, &map});
}

// "[#####.....] 12/16 blocks, 3.1 s left": on a terminal in place, elsewhere a line every ten seconds.
class Progress {
 public:
  void operator()(std::size_t done, std::size_t all) {
    const double seconds = elapsed();
    const bool terminal = isatty(fileno(stderr)) != 0, last = done == all;
    if (!terminal && !last && seconds - printed_ < 10) return;
    if (!terminal && last && printed_ == 0) return;  // short work needs no log
    printed_ = seconds;
    const std::size_t filled = done * 30 / all;
    fmt::print(stderr, "{}[{:#>{}}{:.>{}}] {}/{} blocks, {:.1f} s left{}", terminal ? "\r" : "", "", filled, "", 30 - filled,
               done, all, seconds / static_cast<double>(done) * static_cast<double>(all - done), terminal && !last ? "  " : "\n");
  }
  double elapsed() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double printed_ = 0;
};

// The largest difference between the GPU's result and naive loops in double, over pixels spread over the picture.
struct Comparison {
  std::int64_t pixels = 0;
  double most = 0;
};
Comparison compare_with_reference(const Image& noisy, const Image& denoised, const denoise::Settings& settings) {
  Comparison result;
  const std::int64_t pixels = noisy.width * noisy.height, step = std::max<std::int64_t>(1, pixels / 997);
  for (std::int64_t i = 0; i < pixels; i += step, ++result.pixels) {
    const auto expected = denoise::reference_pixel(noisy, settings, i % noisy.width, i / noisy.width);
    for (int c = 0; c < 3; ++c)
      result.most = std::max(result.most, std::abs(static_cast<double>(denoised.at(c, i / noisy.width, i % noisy.width)) - expected[static_cast<std::size_t>(c)]));
  }
  return result;
}

// What is to be cleaned, what it is measured against, and the noise that tells them apart or is there from the start.
struct Input {
  std::string name;
  Image clean, noisy;
  double own_noise = 0, sigma = 0;  // of `clean`, of `noisy`
  std::string sigma_text;

  bool has_added_noise() const { return noisy.values != clean.values; }
};

Input make_input(const Options& options, fovea::Context& context, std::optional<denoise::Loaded> loaded) {
  Input input;
  input.name = loaded ? options.picture : "rendered scene";
  const double added = options.noise.value_or(loaded ? 0 : 0.1);
  const std::optional<double> own = options.sigma ? options.sigma : loaded ? denoise::estimate_noise(loaded->image) : 0;
  input.clean = loaded ? std::move(loaded->image) : check(denoise::render_scene(context, options.size, options.size));
  input.noisy = added > 0 ? denoise::add_noise(input.clean, added, options.seed) : input.clean;
  input.own_noise = own.value_or(0);
  input.sigma = std::hypot(input.own_noise, added);
  const std::string own_text = !own ? "none found: --sigma S states it" : options.sigma ? "stated" : loaded ? "estimated" : "none added";
  if (added == 0) input.sigma_text = own_text;
  else if (input.own_noise == 0) input.sigma_text = "added";
  else input.sigma_text = fmt::format("{:.4f} added to {:.4f} {}", added, input.own_noise, own_text);
  return input;
}

void print_psnr(const Input& input, const Image& denoised) {
  if (!input.has_added_noise()) {
    fmt::print("PSNR      unknown: no noise was added to this picture (--noise S adds some, and measures)\n");
    return;
  }
  const double before = denoise::psnr(input.noisy, input.clean), after = denoise::psnr(denoised, input.clean);
  const auto blur = denoise::best_blur(input.noisy, input.clean);
  fmt::print("PSNR      {:.2f} dB before, {:.2f} dB after ({:+.2f}); best Gaussian blur {:.2f} dB at sigma {:.1f}\n", before, after,
             after - before, blur.psnr, blur.sigma);
  if (input.own_noise > 0)
    fmt::print("          (against the picture as given, whose own noise of {:.4f} counts as content here)\n", input.own_noise);
}

int list_devices() {
  const auto devices = check(fovea::Context::devices());
  for (std::size_t i = 0; i < devices.size(); ++i) fmt::print("[{}] {} ({})\n", i, devices[i].name, devices[i].driver);
  return 0;
}

constexpr const char* results[] = {"before_after.png", "denoised.png", "attention_map.png", "report.json"};

int run(const Options& options) {
  if (options.list_devices) return list_devices();
  // First what can be wrong at once: no mistake should wait for a device, and none for the work.
  std::optional<denoise::Loaded> loaded;
  if (!options.picture.empty()) loaded = check(denoise::load(options.picture));
  const std::int64_t width = loaded ? loaded->image.width : options.size, height = loaded ? loaded->image.height : options.size;
  const std::int64_t x = options.map_at.empty() ? width * 281 / 512 : options.map_at[0];
  const std::int64_t y = options.map_at.empty() ? height * 158 / 512 : options.map_at[1];
  if (x < 0 || y < 0 || x >= width || y >= height)
    throw Failure{{fovea::ErrorCode::invalid_argument, fmt::format("--map {} {}: outside the {}x{} picture", x, y, width, height)}};
  const fs::path out = options.out;
  if (const auto writable = denoise::check_writable(out, results); !writable)
    throw Failure{{fovea::ErrorCode::io, "--out " + writable.error().message}};

  fovea::Context context = check(fovea::Context::create({.device = options.device, .validation = options.validation}));
  fmt::print("device    {}\ndriver    {}\n", context.device().name, context.device().driver);
  const bool laid_over_white = loaded && loaded->laid_over_white;
  const Input input = make_input(options, context, std::move(loaded));
  fmt::print("picture   {}, {}x{}, {}noise {:.4f} ({})\n", input.name, width, height,
             laid_over_white ? "transparent parts laid over white, " : "", input.sigma, input.sigma_text);

  const denoise::Settings settings{.noise = input.sigma, .strength = options.strength};
  denoise::Denoiser denoiser = check(denoise::Denoiser::create(context, settings, options.tune));
  if (options.tune > 0) fmt::print("\n{}\n", denoiser.tuning().to_text());
  Progress progress;
  const Image denoised = check(denoiser.run(input.noisy, std::ref(progress)));
  fmt::print("denoised  {:.0f} ms in all, {:.0f} ms on the device\n", progress.elapsed() * 1e3, denoiser.report().milliseconds);
  const Comparison comparison = compare_with_reference(input.noisy, denoised, settings);
  fmt::print("checked   {:.1e} at most from the double reference, over {} pixels\n", comparison.most, comparison.pixels);
  print_psnr(input, denoised);
  fmt::print("\n{}\n", denoiser.report().to_text());

  const auto weights = check(denoise::attention_map(context, input.noisy, settings, x, y));
  std::error_code code;
  fs::create_directories(out, code);
  if (code) throw Failure{{fovea::ErrorCode::io, fmt::format("--out {}: {}", options.out, code.message())}};
  check(denoise::save(out / results[0], side_by_side({&input.noisy, &denoised})));
  check(denoise::save(out / results[1], denoised));
  check(denoise::save(out / results[2], draw_map(input.noisy, weights, settings.search_radius, x, y)));
  check(fovea::io::write_text(out / results[3], denoiser.report().to_json()));
  for (const char* name : results) fmt::print("wrote     {}\n", (out / name).string());
  fmt::print("          (the map is of pixel {}, {}, framed: left what is there, right where it looks; brightness is the\n"
             "          square root of a weight over the largest)\n", x, y);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // in a file or a pipe too, lines stand there while the work goes on
  Options options;
  CLI::App app("Denoises a picture by non-local attention: every patch attends to the patches around it.", "fovea-denoise");
  app.add_option("picture", options.picture, "PNG or JPEG of up to 8 megapixels; without one, a scene rendered here");
  app.add_option("--out", options.out, "folder for the results")->capture_default_str();
  app.add_option("--device", options.device, "part of a device's or driver's name, or its index (default: FOVEA_DEVICE, then the best)");
  app.add_option("--size", options.size, "side of the rendered scene in pixels")->check(CLI::Range(16, 2048))->capture_default_str();
  app.add_option("--noise", options.noise, "standard deviation of noise to add, and to measure against (scene: 0.1, picture: none)")->check(CLI::Range(0.0, 1.0));
  app.add_option("--sigma", options.sigma, "standard deviation of the noise that the picture has (default: estimated)")->check(CLI::Range(0.0, 1.0));
  app.add_option("--strength", options.strength, "bandwidth of the similarity, in standard deviations of the noise")->check(CLI::Range(0.1, 100.0))->capture_default_str();
  app.add_option("--tune", options.tune, "seconds to measure kernels for first (default: none)")->check(CLI::Range(0.0, 3600.0));
  app.add_option("--map", options.map_at, "x y of the pixel whose attention is drawn")->expected(2);
  app.add_option("--seed", options.seed, "of the added noise")->capture_default_str();
  app.add_flag("--validation", options.validation, "turn on the Vulkan validation layer");
  app.add_flag("--list-devices", options.list_devices, "print the devices and stop");
  app.failure_message([](const CLI::App*, const CLI::Error& error) { return fmt::format("fovea-denoise: {}; --help lists the options\n", error.what()); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const Failure& failure) {
    fmt::print(stderr, "fovea-denoise: {}\n", failure.error.message);
    return 1;
  }
}
