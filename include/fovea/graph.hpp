#pragma once
// A Graph describes a computation: named inputs and parameters, operators (ops.hpp), named outputs.

#include <fovea/result.hpp>
#include <fovea/tensor.hpp>

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

// Move-only. Building never fails at the call: the first mistake is kept (operator, axis, values, caller's file and
// line), later calls do nothing, and error() or Context::compile() reports it. Not thread-safe; one thread builds.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(Graph&&) noexcept;
  Graph& operator=(Graph&&) noexcept;

  // A value the caller binds at every run. Names are unique among inputs and parameters, and not empty.
  Tensor input(std::string_view name, Shape shape, DType dtype = DType::f32, CallSite site = CallSite::here());
  // A value the caller binds that training may change; otherwise as an input.
  Tensor parameter(std::string_view name, Shape shape, DType dtype = DType::f32, CallSite site = CallSite::here());
  // A value known now, uploaded once with the plan. data.size() must equal shape.elements(). Of literals in braces all must be
  // of one type: {1, 2, 3} is i32, {1.0f, 2.0f, 3.0f} f32, and {1, 0.5f, 2} does not compile, as ambiguous.
  Tensor constant(Shape shape, std::span<const float> data, CallSite site = CallSite::here());
  Tensor constant(Shape shape, std::span<const std::int32_t> data, CallSite site = CallSite::here());
  Tensor constant(Shape shape, std::initializer_list<float> data, CallSite site = CallSite::here());
  Tensor constant(Shape shape, std::initializer_list<std::int32_t> data, CallSite site = CallSite::here());
  // Names a result that the caller binds a buffer for. Output names are unique.
  void output(std::string_view name, Tensor value, CallSite site = CallSite::here());

  // At the end of every run the parameter's own buffer holds `value`: all that reads the parameter sees what it held
  // before. For training and running statistics; values that one parameter takes of another are those before the run.
  // Errors: no parameter of this graph, a value of another shape or type, a second update of one parameter.
  void update(Tensor parameter, Tensor value, CallSite site = CallSite::here());

  // The first mistake, if there was one.
  const std::optional<Error>& error() const;
  // One line a value: "%3 = softmax(%2) {axis = -1} : f32[8,128]  (model.cpp:41)".
  std::string to_text() const;

  ir::Graph& ir() { return *ir_; }
  const ir::Graph& ir() const { return *ir_; }

 private:
  std::unique_ptr<ir::Graph> ir_;
};

}  // namespace fovea
