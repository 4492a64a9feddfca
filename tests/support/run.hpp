#pragma once
// Running a plan as the harness does: between sentinels, on poisoned outputs, twice.

#include "tests/support/array.hpp"
#include "tests/support/guarded.hpp"

namespace fovea::test {

// To the nearest value of a storage type; itself for integers and booleans.
double rounded_to(double value, DType dtype);
// As a buffer holds it, padded to whole words.
Bytes encode(const Array<double>& array, DType dtype);

// What the harness does with graphs where nothing runs; null where plans run. The program that links the tests says which
// (support/main.cpp, compile_only/main.cpp, coverage/main.cpp). A test case that makes a plan by itself is left out there:
// TEST_CASE("..." * doctest::skip(compiles_only())).
struct CompileOnly {
  // On a driver that only compiles.
  bool (*wanted)(const Graph& graph, const CompileOptions& options) = nullptr;  // whether it makes a pipeline that no graph has made
  void (*made)(Plan& plan) = nullptr;  // instead of running it
  void (*refused)(const Graph& graph, const CompileOptions& options) = nullptr;  // no kernel takes it on this device
  // Without any device, instead of compiling for it.
  void (*compared)(const Graph& graph, const CompileOptions& options) = nullptr;  // its outputs have a reference
  void (*differentiated)(const Graph& graph, Tensor loss, std::span<const Tensor> targets) = nullptr;  // d loss / d targets has
};
extern const CompileOnly* const compile_only;
inline bool compiles_only() {
  return compile_only != nullptr;
}
inline bool has_device() {
  return !compiles_only() || compile_only->made;
}

struct Run {
  std::vector<Array<double>> outputs;
  std::vector<DType> dtypes;
};
// The bytes of the inputs and parameters, in the order of the ports. Checks that nothing outside the outputs' ranges
// was written, and that both runs agree bit for bit.
// FOVEA_TEST_EXECUTED=FILE: when the process ends, of every launch that has run so, "operator=kernel" and "shader NAME", a line each (an
// author's GLSL makes shaders that are not named).
Run run_guarded(Plan& plan, const std::vector<Bytes>& inputs);
// What a graph is run in: f32 and, where they are asked for and the device stores them, f16 and bf16.
std::vector<DType> storages_to_run(bool halves);
// Drivers may share what takes them long: of the graphs of one choice of kernels a driver runs the first, and of the others each
// `drivers`-th, from `turn` on, where choice 0 is the device's own; with kernels that are forced each second of those, and choices that
// follow one another the ones that the other leaves out. Of those stored in f16 it runs half as many, but the first one always.
struct Share {
  int first, turn, drivers;
};
bool takes_turn(const Share& share, int number, int choice, DType storage);
// As FOVEA_TEST_SHARE=FIRST,TURN,DRIVERS says for the graphs of this process; without it each has its turn. Results and gradients
// (`what`) are counted apart, and graphs that the device refuses with these kernels not at all.
// bf16 differs from f16 in loading and storing alone, so that each shader has shown with a few graphs what it can get wrong: a graph
// has its turn where it is among the first (the share's, or three) to launch one of its shaders with this choice of kernels.
bool has_turn(const Graph& graph, const CompileOptions& options, DType storage, const char* what);
// Where a shader of `plan` has shared memory: checks that NaN in it changes nothing of what `plain` gave (a NaN may
// become another one: an invocation that adds its operands in another order gives the other's payload).
// Of the graphs that a process compiles with one choice of kernels, the share's first, or four.
void check_shared_memory(const Graph& graph, CompileOptions options, const std::vector<Bytes>& inputs, const Plan& plan, const Run& plain);

}  // namespace fovea::test
