// fovea-denoise: non-local attention denoising of a picture, or of a scene it renders itself.

#include "denoise/denoiser.hpp"
#include "denoise/scene.hpp"

#include <fovea/io.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>

namespace {

using denoise::Image;
namespace fs = std::filesystem;

struct Options {
  std::string picture, out = "out/denoise", device;
  std::int64_t size = 512;
  double noise = -1, strength = 5;
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

Image load(const std::string& path) {
  const auto picture = check(fovea::io::read_picture(path, {.channels = 3}));
  Image image(picture.width, picture.height);
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) image.at(c, y, x) = picture.values[static_cast<std::size_t>((y * image.width + x) * 3 + c)];
  return image;
}

void save(const fs::path& path, const Image& image) {
  fovea::io::Picture<float> picture{image.width, image.height, 3, {}};
  picture.values.reserve(image.values.size());
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < image.width; ++x)
      for (int c = 0; c < 3; ++c) picture.values.push_back(image.at(c, y, x));
  check(fovea::io::write_png(path, picture));
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
double compare_with_reference(const Image& noisy, const Image& denoised, const denoise::Settings& settings) {
  double most = 0;
  const std::int64_t pixels = noisy.width * noisy.height, step = std::max<std::int64_t>(1, pixels / 997);
  for (std::int64_t i = 0; i < pixels; i += step) {
    const auto expected = denoise::reference_pixel(noisy, settings, i % noisy.width, i / noisy.width);
    for (int c = 0; c < 3; ++c)
      most = std::max(most, std::abs(static_cast<double>(denoised.at(c, i / noisy.width, i % noisy.width)) - expected[static_cast<std::size_t>(c)]));
  }
  return most;
}

int run(const Options& options) {
  if (options.list_devices) {
    for (const auto& device : check(fovea::Context::devices())) fmt::print("{} ({})\n", device.name, device.driver);
    return 0;
  }
  // The picture first: a mistake in its name should not wait for a device.
  std::optional<Image> picture;
  if (!options.picture.empty()) picture = load(options.picture);
  const fs::path out = options.out;
  std::error_code code;
  fs::create_directories(out, code);
  if (code) throw Failure{{fovea::ErrorCode::io, fmt::format("--out {}: {}", options.out, code.message())}};

  fovea::Context context = check(fovea::Context::create({.device = options.device, .validation = options.validation}));
  fmt::print("device    {}\ndriver    {}\n", context.device().name, context.device().driver);

  const bool rendered = !picture;
  const double added = options.noise >= 0 ? options.noise : rendered ? 0.1 : 0.0;
  const Image clean = rendered ? check(denoise::render_scene(context, options.size, options.size)) : std::move(*picture);
  const Image noisy = added > 0 ? denoise::add_noise(clean, added, options.seed) : clean;
  const double sigma = added > 0 ? added : denoise::estimate_noise(noisy);
  fmt::print("picture   {}, {}x{}, noise {:.4f} ({})\n", rendered ? "rendered scene" : options.picture, noisy.width, noisy.height,
             sigma, added > 0 ? "added" : "estimated");

  const denoise::Settings settings{.bandwidth = denoise::bandwidth_for(std::max(sigma, 1e-3), options.strength)};
  denoise::Denoiser denoiser = check(denoise::Denoiser::create(context, settings));
  Progress progress;
  const Image denoised = check(denoiser.run(noisy, std::ref(progress)));
  fmt::print("denoised  {:.0f} ms in all, {:.0f} ms on the device\n", progress.elapsed() * 1e3, denoiser.report().milliseconds);
  fmt::print("checked   {:.1e} at most from the double reference, over ~1000 pixels\n", compare_with_reference(noisy, denoised, settings));

  if (added > 0) {
    const auto blur = denoise::best_blur(noisy, clean);
    fmt::print("PSNR      {:.2f} dB before, {:.2f} dB after ({:+.2f}); best Gaussian blur {:.2f} dB at sigma {:.1f}\n",
               denoise::psnr(noisy, clean), denoise::psnr(denoised, clean), denoise::psnr(denoised, clean) - denoise::psnr(noisy, clean),
               blur.psnr, blur.sigma);
  } else {
    fmt::print("PSNR      unknown: this picture has no clean reference (--noise S adds noise to it and measures)\n");
  }
  fmt::print("\n{}\n", denoiser.report().to_text());

  const std::int64_t x = options.map_at.empty() ? noisy.width * 281 / 512 : options.map_at[0];
  const std::int64_t y = options.map_at.empty() ? noisy.height * 158 / 512 : options.map_at[1];
  if (x < 0 || y < 0 || x >= noisy.width || y >= noisy.height)
    throw Failure{{fovea::ErrorCode::invalid_argument, fmt::format("--map {} {}: outside the {}x{} picture", x, y, noisy.width, noisy.height)}};
  const auto weights = check(denoise::attention_map(context, noisy, settings, x, y));
  save(out / "before_after.png", side_by_side({&noisy, &denoised}));
  save(out / "denoised.png", denoised);
  save(out / "attention_map.png", draw_map(noisy, weights, settings.search_radius, x, y));
  check(fovea::io::write_text(out / "report.json", denoiser.report().to_json()));
  for (const char* name : {"before_after.png", "denoised.png", "attention_map.png", "report.json"}) fmt::print("wrote     {}\n", (out / name).string());
  fmt::print("          (the map is of pixel {}, {}: left what is there, right where it looks)\n", x, y);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Denoises a picture by non-local attention: every patch attends to the patches around it.", "fovea-denoise");
  app.add_option("picture", options.picture, "PNG or JPEG of up to 8 megapixels; without one, a scene rendered here");
  app.add_option("--out", options.out, "folder for the results")->capture_default_str();
  app.add_option("--device", options.device, "part of a device's or driver's name, or its index (default: FOVEA_DEVICE, then the best)");
  app.add_option("--size", options.size, "side of the rendered scene in pixels")->check(CLI::Range(16, 2048))->capture_default_str();
  app.add_option("--noise", options.noise, "standard deviation of noise to add, and to measure against (scene: 0.1, picture: none)")->check(CLI::Range(0.0, 1.0));
  app.add_option("--strength", options.strength, "bandwidth of the similarity, in standard deviations of the noise")->check(CLI::Range(0.1, 100.0))->capture_default_str();
  app.add_option("--map", options.map_at, "x y of the pixel whose attention is drawn")->expected(2);
  app.add_option("--seed", options.seed, "of the added noise")->capture_default_str();
  app.add_flag("--validation", options.validation, "turn on the Vulkan validation layer");
  app.add_flag("--list-devices", options.list_devices, "print the devices and stop");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const Failure& failure) {
    fmt::print(stderr, "fovea-denoise: {}\n", failure.error.message);
    return 1;
  }
}
