#pragma once
// A peer's side of the protocol (README.md).

#include "bench/measure.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

// `f32` numbers of a file of the folder; shorter than asked for where the file is.
inline std::vector<float> read_floats(const std::filesystem::path& path, std::size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(float)));
  values.resize(static_cast<std::size_t>(file.gcount()) / sizeof(float));
  return values;
}
inline void write_floats(const std::filesystem::path& path, const std::vector<float>& values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

// A work made ready: what a run does.
using Work = std::function<void()>;

// Answers until the input ends. `prepare` reads operands, does the work once, writes the result; or says `why` it
// cannot.
inline int serve(const std::string& who, const std::function<Work(std::istream& work, std::string& why)>& prepare) {
  std::cout << "ready " << who << std::endl;
  Work work;
  for (std::string line, verb; std::getline(std::cin, line);) {
    std::istringstream words(line);
    words >> verb;
    if (verb == "prepare") {
      std::string why;
      work = prepare(words, why);
      std::cout << (work ? "ok" : "absent " + why) << std::endl;
    } else if (verb == "run" && work) {
      const Stopwatch watch;
      work();
      const Times times = watch.stop();
      std::printf("ok %.9f %.9f\n", times.wall, times.processor);
      std::fflush(stdout);
    } else {
      work = nullptr;
      std::cout << (verb == "drop" ? "ok" : "absent " + line + ": nothing is prepared") << std::endl;
    }
  }
  return 0;
}

}  // namespace bench
