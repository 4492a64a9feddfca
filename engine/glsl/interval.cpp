#include "glsl/interval.hpp"

#include "base/text.hpp"

#include <optional>

namespace fovea::glsl {
namespace {

using Kind = Expression::Kind;

struct Range {
  Type type;
  std::string glsl;  // ivec2 of integers and booleans, vec2 of reals
};

class Ranges {
 public:
  Ranges(const std::map<std::string, std::string>& integers, const std::map<std::string, RangeOf>& buffers)
      : integers_(integers), buffers_(buffers) {}

  // None: nothing is known.
  std::optional<Range> of(const Expression& e) {
    switch (e.kind) {
      case Kind::number: return of_number(e.text);
      case Kind::name:
        if (e.text == "true" || e.text == "false") return Range{Type::boolean, e.text == "true" ? "ivec2(1)" : "ivec2(0)"};
        return integers_.count(e.text) ? std::optional<Range>({Type::integer, integers_.at(e.text)}) : std::nullopt;
      case Kind::prefix: return of_prefix(e);
      case Kind::infix: return of_infix(e);
      case Kind::choice: return of_choice(e);
      case Kind::call: return of_call(e);
    }
    return std::nullopt;
  }

 private:
  static std::optional<Range> of_number(const std::string& text) {
    const bool hexadecimal = text.size() > 1 && (text[1] == 'x' || text[1] == 'X');
    if (text.back() == 'u' || text.back() == 'U') return std::nullopt;  // unsigned arithmetic wraps around
    if (hexadecimal || text.find_first_of(".eEfF") == std::string::npos) return Range{Type::integer, cat("ivec2(", text, ')')};
    return Range{Type::real, cat("vec2(", text, ')')};
  }
  static Range real(const Range& x) { return x.type == Type::real ? x : Range{Type::real, cat("vec2(", x.glsl, ')')}; }
  static Range apply(Type type, const char* function, std::initializer_list<Range> in) {
    std::string glsl = cat("range_", function, '(');
    for (const Range& x : in) glsl += cat(&x == in.begin() ? "" : ", ", x.glsl);
    return {type, glsl + ')'};
  }
  // Both integers or both reals, as GLSL converts them.
  static bool meet(Range& a, Range& b) {
    if (a.type == Type::boolean || b.type == Type::boolean) return a.type == b.type;
    if (a.type != b.type) a = real(a), b = real(b);
    return true;
  }
  // A boolean of which nothing is known is still one.
  Range truth(const Expression& e) {
    const std::optional<Range> x = of(e);
    return x && x->type == Type::boolean ? *x : Range{Type::boolean, "ivec2(0, 1)"};
  }

  std::optional<Range> of_prefix(const Expression& e) {
    if (e.text == "!") return apply(Type::boolean, "not", {truth(e.operands[0])});
    const std::optional<Range> x = of(e.operands[0]);
    if (!x || x->type == Type::boolean || e.text == "~") return std::nullopt;
    return e.text == "+" ? *x : apply(x->type, "negative", {*x});
  }

  std::optional<Range> of_infix(const Expression& e) {
    if (e.text == "&&" || e.text == "||" || e.text == "^^") {
      const char* function = e.text == "&&" ? "and" : e.text == "||" ? "or" : "xor";
      return apply(Type::boolean, function, {truth(e.operands[0]), truth(e.operands[1])});
    }
    std::optional<Range> a = of(e.operands[0]), b = of(e.operands[1]);
    if (!a || !b || !meet(*a, *b)) return std::nullopt;
    if (e.text == "==") return apply(Type::boolean, "equal", {*a, *b});
    if (e.text == "!=") return apply(Type::boolean, "not", {apply(Type::boolean, "equal", {*a, *b})});
    if (a->type == Type::boolean) return std::nullopt;
    if (e.text == "<") return apply(Type::boolean, "less", {*a, *b});
    if (e.text == ">") return apply(Type::boolean, "less", {*b, *a});
    if (e.text == "<=") return apply(Type::boolean, "not", {apply(Type::boolean, "less", {*b, *a})});
    if (e.text == ">=") return apply(Type::boolean, "not", {apply(Type::boolean, "less", {*a, *b})});
    if (e.text == "+") return apply(a->type, "sum", {*a, *b});
    if (e.text == "-") return apply(a->type, "sum", {*a, apply(a->type, "negative", {*b})});
    if (e.text == "*") return apply(a->type, "product", {*a, *b});
    if (a->type != Type::integer) return std::nullopt;
    if (e.text == "/") return apply(a->type, "quotient", {*a, *b});
    if (e.text == "%") return apply(a->type, "remainder", {*a, *b});
    return std::nullopt;
  }

  std::optional<Range> of_choice(const Expression& e) {
    std::optional<Range> a = of(e.operands[1]), b = of(e.operands[2]);
    if (!a || !b || !meet(*a, *b)) return std::nullopt;
    return apply(a->type, "choice", {truth(e.operands[0]), *a, *b});
  }

  std::optional<Range> of_call(const Expression& e) {
    std::vector<Range> in;
    for (const Expression& operand : e.operands) {
      const std::optional<Range> x = of(operand);
      if (!x || x->type == Type::boolean) return std::nullopt;
      in.push_back(*x);
    }
    if (const auto buffer = buffers_.find(e.text); buffer != buffers_.end()) {
      if (in.size() != buffer->second.axes) return std::nullopt;
      std::string glsl = cat(buffer->second.function, '(');
      for (const Range& x : in) {
        if (x.type != Type::integer) return std::nullopt;
        glsl += cat(&x == in.data() ? "" : ", ", x.glsl);
      }
      return Range{buffer->second.type, glsl + ')'};
    }
    if (in.size() == 1 && e.text == "abs") return apply(in[0].type, "abs", {in[0]});
    if (in.size() == 1 && e.text == "float") return real(in[0]);
    if (in.size() == 1 && e.text == "int") return in[0].type == Type::integer ? in[0] : apply(Type::integer, "int", {in[0]});
    if (in.size() == 2 && (e.text == "min" || e.text == "max") && meet(in[0], in[1])) return apply(in[0].type, e.text.c_str(), {in[0], in[1]});
    if (in.size() == 3 && e.text == "clamp" && meet(in[0], in[1]) && meet(in[0], in[2]) && meet(in[0], in[1]))
      return apply(in[0].type, "min", {apply(in[0].type, "max", {in[0], in[1]}), in[2]});
    return std::nullopt;
  }

  const std::map<std::string, std::string>& integers_;
  const std::map<std::string, RangeOf>& buffers_;
};

}  // namespace

std::string boolean_range(const Expression& expression, const std::map<std::string, std::string>& integers,
                          const std::map<std::string, RangeOf>& buffers) {
  const std::optional<Range> range = Ranges(integers, buffers).of(expression);
  return range && range->type == Type::boolean ? range->glsl : std::string();
}

}  // namespace fovea::glsl
