// The machine's limits: a matrix product by OpenBLAS and a copy, on all cores. The caller sets OPENBLAS_CORETYPE.

#include "bench/peers/serve.hpp"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace {

bench::Work sgemm(int n) {
  const auto count = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  auto a = std::make_shared<std::vector<float>>(count, 0.5f), b = std::make_shared<std::vector<float>>(count, 0.25f);
  auto c = std::make_shared<std::vector<float>>(count);
  return [=] {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a->data(), n, b->data(), n, 0, c->data(), n);
  };
}

bench::Work copy(std::size_t bytes) {
  auto from = std::make_shared<std::vector<char>>(bytes, 'x'), to = std::make_shared<std::vector<char>>(bytes);
  return [=] {
    const std::size_t threads = std::max(1u, std::thread::hardware_concurrency()), part = bytes / threads;
    std::vector<std::jthread> running;
    for (std::size_t i = 0; i < threads; ++i)
      running.emplace_back([=] { std::memcpy(to->data() + i * part, from->data() + i * part, part); });
  };
}

}  // namespace

int main() {
  const std::string who = std::string("OpenBLAS ") + openblas_get_config() + " core " + openblas_get_corename() + ", " +
                          std::to_string(openblas_get_num_threads()) + " threads";
  return bench::serve(who, [](std::istream& words, std::string& why) -> bench::Work {
    std::string name;
    long long extent = 0;
    words >> name >> extent;
    bench::Work work;
    if (extent > 0 && name == "sgemm")
      work = sgemm(static_cast<int>(extent));
    else if (extent > 0 && name == "copy")
      work = copy(static_cast<std::size_t>(extent));
    else
      why = "no limit of the machine: " + name;
    if (work) work();
    return work;
  });
}
