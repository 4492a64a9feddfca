#pragma once
// One call of a layer: checks of its operands, refused with the layer's name and the caller's line.

#include "base/enum_name.hpp"
#include "base/text.hpp"
#include "ir/broadcast.hpp"
#include "ir/graph.hpp"
#include "ops/compose.hpp"
#include "ops/term.hpp"

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace fovea::nn {

using ops::Term;

class Call {
 public:
  // The graph is that of the first of the operands that is present: it is told where another that must be is not.
  Call(const char* layer, std::span<const Tensor> operands, CallSite call_site) : site(call_site), layer_(layer) {
    for (Tensor operand : operands)
      if (!graph_) graph_ = operand.graph();
  }
  Call(const char* layer, std::initializer_list<Tensor> operands, CallSite call_site)
      : Call(layer, std::span(operands.begin(), operands.size()), call_site) {}

  const CallSite site;

  // Whether nothing was refused yet, here or earlier in the graph.
  bool ok() const { return graph_ && !graph_->error; }
  // What a refused call returns.
  Tensor nothing() const { return {graph_, ir::none}; }
  template <class... Why>
  bool refuse(const Why&... why) const {
    if (graph_) graph_->fail(cat(layer_, ": ", why...), site);
    return false;
  }

  // The tensor is of this graph and of a float type.
  bool is_float(const char* what, Tensor x) const {
    if (!of_graph(what, x)) return false;
    if (ir::is_float(x.dtype())) return true;
    return refuse(what, " is ", to_string(x.dtype()), ", not ", ir::float_types);
  }
  bool is_i32(const char* what, Tensor x) const {
    if (!of_graph(what, x)) return false;
    return x.dtype() == DType::i32 || refuse(what, " is ", to_string(x.dtype()), ", not i32");
  }
  // boolean, and of this shape.
  bool is_boolean(const char* what, Tensor x, const Shape& shape) const {
    if (!of_graph(what, x)) return false;
    return (x.dtype() == DType::boolean && x.shape() == shape) ||
           refuse(what, " is ", to_string(x.dtype()), to_string(x.shape()), ", not ", to_string(DType::boolean), to_string(shape));
  }
  // Of a float type and of this shape.
  bool has_shape(const char* what, Tensor x, const Shape& shape) const {
    return is_float(what, x) &&
           (x.shape() == shape || refuse(what, " is ", to_string(x.shape()), ", not ", to_string(shape)));
  }
  // The same of optional operands: absent is fine.
  bool may_have_shape(const char* what, Tensor x, const Shape& shape) const { return !x || has_shape(what, x, shape); }
  bool may_broadcast(const char* what, Tensor x, const Shape& shape) const {
    if (!x) return ok();
    return is_float(what, x) && (ir::broadcasts_to(x.shape(), shape) ||
                                 refuse(what, ' ', to_string(x.shape()), " does not broadcast to ", to_string(shape)));
  }

  // Attributes: a finite number from 0 on; one above 0; one in [0, 1]; an enumerator; a finite number.
  bool is_not_negative(const char* what, double value) const {
    return (value >= 0 && std::isfinite(value)) || refuse(what, " is ", value, ", not a finite number from 0 on");
  }
  bool is_positive(const char* what, double value) const {
    return (value > 0 && std::isfinite(value)) || refuse(what, " is ", value, ", not a finite number above 0");
  }
  bool is_share(const char* what, double value) const {
    return (value >= 0 && value <= 1) || refuse(what, " is ", value, ", not in [0, 1]");
  }
  template <class Enum>
  bool is_known(const char* what, Enum value) const {
    return is_enumerator(value) || refuse(no_enumerator(what, value));
  }
  bool is_finite(const char* what, double value) const {
    return std::isfinite(value) || refuse(what, " is ", value, ", not a finite number");
  }

  // The tensor in f32, in which layers compute.
  Term real(Tensor x) const { return {cast(x, DType::f32, site), site}; }
  // A constant of these numbers.
  Term numbers(const Shape& shape, std::span<const std::int32_t> values) const {
    return {ops::constant(*graph_, shape, values, site), site};
  }

 private:
  bool of_graph(const char* what, Tensor x) const {
    if (!ok()) return false;
    if (!x) return refuse(what, " is ", ir::absent);
    if (x.graph() == graph_) return true;
    x.graph()->fail(cat(layer_, ": ", what, " is of this graph, and other operands are not"), site);
    return refuse(what, " is of another graph");
  }

  const char* layer_;
  ir::Graph* graph_ = nullptr;
};

}  // namespace fovea::nn
