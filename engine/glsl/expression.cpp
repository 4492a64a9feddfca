// A parser by precedence, and the rules of differentiation.

#include "glsl/expression.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <cctype>

namespace fovea::glsl {
namespace {

using Kind = Expression::Kind;

// ---- Parsing ------------------------------------------------------------------------------------------------------

// Infix operators, loosest first. (GLSL 4.60, table of operator precedence)
const std::vector<std::vector<std::string_view>> levels{
    {"||"}, {"^^"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<=", ">=", "<", ">"}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"}};

constexpr int deepest = 200;  // of nested parentheses and operators: the stack is not endless

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { advance(); }

  Result<Expression> all() {
    Expression result = choice();
    if (error_.empty() && !token_.empty()) fail("the end");
    if (!error_.empty()) return Error{ErrorCode::invalid_argument, error_};
    return result;
  }

 private:
  void fail(std::string_view wanted) {
    if (error_.empty()) error_ = cat(token_.empty() ? std::string("the end") : cat('\'', token_, '\''), " stands where ", wanted, " should");
    token_ = {}, at_ = text_.size();
  }
  void skip_blanks() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
        ++at_;
      } else if (text_.substr(at_, 2) == "//") {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.substr(at_, 2) == "/*") {
        const std::size_t end = text_.find("*/", at_ + 2);
        at_ = end == std::string_view::npos ? text_.size() : end + 2;
      } else {
        return;
      }
    }
  }
  static bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
  // An exponent may have a sign.
  std::size_t length_of_number() const {
    std::size_t n = at_;
    while (n < text_.size() && (in_name(text_[n]) || text_[n] == '.' ||
                                ((text_[n] == '+' || text_[n] == '-') && (text_[n - 1] == 'e' || text_[n - 1] == 'E') &&
                                 text_.substr(at_, 2) != "0x" && n > at_)))
      ++n;
    return n - at_;
  }
  void advance() {
    if (!error_.empty()) return;
    skip_blanks();
    std::size_t length = std::min<std::size_t>(1, text_.size() - at_);
    is_number_ = is_name_ = false;
    if (at_ < text_.size()) {
      const char c = text_[at_];
      const bool digit = std::isdigit(static_cast<unsigned char>(c));
      if (digit || (c == '.' && at_ + 1 < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_ + 1])))) {
        is_number_ = true;
        length = length_of_number();
      } else if (in_name(c)) {
        is_name_ = true;
        while (at_ + length < text_.size() && in_name(text_[at_ + length])) ++length;
      } else {
        static constexpr std::string_view twos[] = {"||", "^^", "&&", "==", "!=", "<=", ">=", "<<", ">>"};
        if (std::find(std::begin(twos), std::end(twos), text_.substr(at_, 2)) != std::end(twos)) length = 2;
      }
    }
    token_ = text_.substr(at_, length);
    at_ += length;
  }
  bool take(std::string_view token) {
    if (token_ != token || is_name_ || is_number_) return false;
    advance();
    return true;
  }
  void want(std::string_view token) {
    if (!take(token)) fail(cat('\'', token, '\''));
  }

  Expression choice() {
    if (++depth_ > deepest) fail("something less deep");
    Expression result = infix(0);
    if (take("?")) {
      Expression yes = choice();
      want(":");
      Expression no = choice();
      result = {Kind::choice, "?", {std::move(result), std::move(yes), std::move(no)}};
    }
    --depth_;
    return result;
  }
  Expression infix(std::size_t level) {
    if (level == levels.size()) return prefix();
    Expression left = infix(level + 1);
    for (;;) {
      const auto& operators = levels[level];
      const auto at = std::find(operators.begin(), operators.end(), token_);
      if (token_.empty() || is_name_ || is_number_ || at == operators.end()) return left;
      advance();
      Expression right = infix(level + 1);
      left = {Kind::infix, std::string(*at), {std::move(left), std::move(right)}};
    }
  }
  Expression prefix() {
    for (std::string_view op : {"-", "+", "!", "~"})
      if (take(op)) {
        if (token_ == op && op != "!") fail("an operand");  // -- and ++ have side effects
        if (++depth_ > deepest) fail("something less deep");
        Expression result{Kind::prefix, std::string(op), {prefix()}};
        --depth_;
        return result;
      }
    return primary();
  }
  Expression primary() {
    if (take("(")) {
      Expression inside = choice();
      want(")");
      return inside;
    }
    if (!is_name_ && !is_number_) {
      fail("an operand");
      return {};
    }
    Expression result{is_name_ ? Kind::name : Kind::number, std::string(token_), {}};
    advance();
    if (result.kind == Kind::name && take("(")) {
      result.kind = Kind::call;
      result.number = calls_++;
      if (!take(")")) {
        do result.operands.push_back(choice());
        while (take(","));
        want(")");
      }
    }
    return result;
  }

  std::string_view text_, token_;
  std::size_t at_ = 0, calls_ = 0;
  int depth_ = 0;
  bool is_number_ = false, is_name_ = false;
  std::string error_;
};

// ---- Differentiation ----------------------------------------------------------------------------------------------

Expression number(std::string text) { return {Kind::number, std::move(text), {}}; }
Expression infix(std::string op, Expression a, Expression b) { return {Kind::infix, std::move(op), {std::move(a), std::move(b)}}; }
Expression call(std::string name, std::vector<Expression> operands) { return {Kind::call, std::move(name), std::move(operands)}; }

// Derivatives of functions of one operand a, by a.
Expression slope_of(const std::string& name, const Expression& a) {
  const auto f = [](const char* function, const Expression& x) { return call(function, {x}); };
  const auto square = [](const Expression& x) { return infix("*", x, x); };
  const Expression one = number("1.0");
  if (name == "exp") return f("exp", a);
  if (name == "exp2") return infix("*", number("0.6931471805599453"), f("exp2", a));
  if (name == "log") return infix("/", one, a);
  if (name == "log2") return infix("/", number("1.4426950408889634"), a);
  if (name == "sqrt") return infix("/", number("0.5"), f("sqrt", a));
  if (name == "inversesqrt") return infix("/", infix("*", number("-0.5"), f("inversesqrt", a)), a);
  if (name == "tanh") return infix("-", one, square(f("tanh", a)));
  if (name == "sinh") return f("cosh", a);
  if (name == "cosh") return f("sinh", a);
  if (name == "sin") return f("cos", a);
  if (name == "cos") return {Kind::prefix, "-", {f("sin", a)}};
  if (name == "tan") return infix("+", one, square(f("tan", a)));
  if (name == "atan") return infix("/", one, infix("+", one, square(a)));
  if (name == "asin") return infix("/", one, f("sqrt", infix("-", one, square(a))));
  if (name == "acos") return infix("/", number("-1.0"), f("sqrt", infix("-", one, square(a))));
  if (name == "abs") return f("sign", a);
  return one;  // float, fract
}
const std::set<std::string> of_one{"exp", "exp2", "log", "log2", "sqrt", "inversesqrt", "tanh", "sinh", "cosh", "sin",
                                   "cos", "tan", "atan", "asin", "acos", "abs", "float", "fract"};
const std::set<std::string> flat{"int", "uint", "bool", "floor", "ceil", "round", "roundEven", "trunc", "sign", "step", "isnan", "isinf"};

struct Differentiation {
  const std::set<std::string>& of_integers;
  const std::function<bool(const Expression&)>& is_variable;
  std::string unknown{};  // the first function without a derivative

  bool depends(const Expression& e) const {
    return is_variable(e) || std::any_of(e.operands.begin(), e.operands.end(), [&](const Expression& operand) { return depends(operand); });
  }
  static bool zero(const Expression& e) { return e.text.empty(); }
  static Expression none() { return {}; }
  static Expression sum(Expression a, Expression b) { return zero(a) ? b : zero(b) ? a : infix("+", std::move(a), std::move(b)); }
  static bool one(const Expression& e) { return e.kind == Kind::number && e.text == "1.0"; }
  static Expression times(Expression a, Expression b) {
    if (zero(a) || zero(b)) return none();
    return one(a) ? b : one(b) ? a : infix("*", std::move(a), std::move(b));
  }
  static Expression minus(Expression a) { return zero(a) ? a : Expression{Kind::prefix, "-", {std::move(a)}}; }
  static Expression either(Expression condition, Expression a, Expression b) {
    if (zero(a) && zero(b)) return none();
    const Expression nothing = number("0.0");
    return {Kind::choice, "?", {std::move(condition), zero(a) ? nothing : std::move(a), zero(b) ? nothing : std::move(b)}};
  }

  Expression of(const Expression& e) {
    if (is_variable(e)) return number("1.0");
    if (!depends(e)) return none();
    if (e.kind == Kind::prefix) return e.text == "-" ? minus(of(e.operands[0])) : e.text == "+" ? of(e.operands[0]) : none();
    if (e.kind == Kind::choice) return either(e.operands[0], of(e.operands[1]), of(e.operands[2]));
    return e.kind == Kind::infix ? of_infix(e) : of_call(e);
  }
  Expression of_infix(const Expression& e) {
    const Expression &a = e.operands[0], &b = e.operands[1];
    if (e.text == "+") return sum(of(a), of(b));
    if (e.text == "-") return sum(of(a), minus(of(b)));
    if (e.text == "*") return sum(times(of(a), b), times(a, of(b)));
    if (e.text != "/") return none();  // whole numbers and truth values
    const Expression da = of(a), db = of(b);
    Expression result = zero(da) ? none() : infix("/", da, b);
    return zero(db) ? result : sum(result, minus(infix("/", infix("*", a, db), infix("*", b, b))));
  }
  Expression of_call(const Expression& e) {
    const std::vector<Expression>& in = e.operands;
    if (flat.count(e.text) || of_integers.count(e.text)) return none();
    if (in.size() == 1 && of_one.count(e.text)) {
      const Expression d = of(in[0]);
      return e.text == "float" || e.text == "fract" ? d : times(slope_of(e.text, in[0]), d);
    }
    if (in.size() == 2 && e.text == "min") return either(infix("<", in[1], in[0]), of(in[1]), of(in[0]));
    if (in.size() == 2 && e.text == "max") return either(infix("<", in[0], in[1]), of(in[1]), of(in[0]));
    if (in.size() == 3 && e.text == "clamp") return of(call("min", {call("max", {in[0], in[1]}), in[2]}));
    if (in.size() == 3 && e.text == "fma") return of(infix("+", infix("*", in[0], in[1]), in[2]));
    if (in.size() == 3 && e.text == "mix") {
      const Expression rest = infix("-", number("1.0"), in[2]);
      return sum(sum(times(of(in[0]), rest), times(of(in[1]), in[2])), times(infix("-", in[1], in[0]), of(in[2])));
    }
    if (in.size() == 2 && e.text == "mod") return sum(of(in[0]), minus(times(call("floor", {infix("/", in[0], in[1])}), of(in[1]))));
    if (in.size() == 2 && e.text == "pow") {
      const Expression by_base = infix("*", in[1], call("pow", {in[0], infix("-", in[1], number("1.0"))}));
      return sum(times(by_base, of(in[0])), times(infix("*", call("log", {in[0]}), e), of(in[1])));
    }
    if (unknown.empty()) unknown = e.text;
    return none();
  }
};

}  // namespace

Result<Expression> parse(std::string_view text) { return Parser(text).all(); }

std::string to_text(const Expression& e, bool flat) {
  const auto operand = [&](std::size_t n) { return to_text(e.operands[n], flat); };
  switch (e.kind) {
    case Kind::number:
    case Kind::name: return e.text;
    case Kind::prefix: return cat('(', e.text, operand(0), ')');
    case Kind::infix:
      if (flat && e.text == "&&") return cat("all(bvec2(", operand(0), ", ", operand(1), "))");
      if (flat && e.text == "||") return cat("any(bvec2(", operand(0), ", ", operand(1), "))");
      return cat('(', operand(0), ' ', e.text, ' ', operand(1), ')');
    case Kind::choice:
      if (flat) return cat("mix(", operand(2), ", ", operand(1), ", ", operand(0), ')');
      return cat('(', operand(0), " ? ", operand(1), " : ", operand(2), ')');
    case Kind::call: break;
  }
  std::string text = cat(e.text, '(');
  for (std::size_t n = 0; n < e.operands.size(); ++n) text += cat(n ? ", " : "", operand(n));
  return text + ')';
}

void visit(const Expression& expression, const std::function<void(const Expression&)>& see) {
  see(expression);
  for (const Expression& operand : expression.operands) visit(operand, see);
}

Result<std::string> derivative(const Expression& expression, const std::set<std::string>& of_integers,
                               const std::function<bool(const Expression&)>& is_variable, bool flat) {
  Differentiation rules{of_integers, is_variable};
  const Expression result = rules.of(expression);
  if (!rules.unknown.empty()) return Error{ErrorCode::unsupported, rules.unknown};
  return Differentiation::zero(result) ? std::string() : to_text(result, flat);
}

}  // namespace fovea::glsl
