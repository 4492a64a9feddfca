// The three forms of a report: JSON that reads back, XML that parses, HTML that is one file.

#include "tests/conformance/report.hpp"

#include "tests/io/folder.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::conformance;

namespace {

constexpr const char* hostile = "<b>&\"quoted\" 'x'</b>\n\x01\xff ]]> é";

Report sample() {
  DeviceReport device;
  device.device = "llvmpipe <&>";
  device.driver = "llvmpipe";
  device.version = "Mesa 22.3.6";
  device.driver_uuid = "0011";
  device.limits = {{"max_invocations", 128}};
  device.emulated = {{"max_invocations", 128}};
  device.results = {
      {.group = "op_softmax", .name = "rows", .op = "softmax", .variant = "", .error = {0.25},
       .tensors = {{"out.y", {0.25}, {0.1}, {0.2}, {1e-6}}}, .kernels = {"softmax_lane"}, .runs = 2, .compile_ms = 1500},
      {.group = "op_softmax", .name = "rows", .op = "softmax", .variant = "softmax=softmax_group", .status = Status::failed,
       .lines = {hostile}, .error = {std::numeric_limits<double>::infinity()}},
      {.group = "op_act", .name = "relu", .op = "relu", .variant = "", .status = Status::skipped, .lines = {"no <operator>"}}};
  DeviceReport absent;
  absent.device = "gone";
  absent.absent = "no device 'gone'";
  Report report;
  report.fovea = "0.1.0";
  report.started = "2026-11-27T09:30:00Z";
  report.corpora = {"tests/corpus"};
  report.devices = {device, absent};
  return report;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

// Whether tags nest and close, and nothing stands outside them that XML forbids. Attributes must be in double quotes.
bool is_well_formed(std::string_view xml) {
  std::vector<std::string_view> open;
  while (true) {
    const std::size_t at = xml.find('<');
    const std::string_view between = xml.substr(0, at);
    for (std::size_t amp = between.find('&'); amp != between.npos; amp = between.find('&', amp + 1))
      if (between.find(';', amp) > amp + 6) return false;
    for (const char c : between)
      if (static_cast<unsigned char>(c) < 0x20 && c != '\n') return false;
    if (at == xml.npos) return open.empty();
    xml.remove_prefix(at + 1);
    std::size_t end = 0;
    for (bool quoted = false; end < xml.size() && (quoted || xml[end] != '>'); ++end) {
      if (xml[end] == '<') return false;
      if (xml[end] == '"') quoted = !quoted;
    }
    if (end == xml.size()) return false;
    const std::string_view tag = xml.substr(0, end), name = tag.substr(0, tag.find_first_of(" /", 1));
    xml.remove_prefix(end + 1);
    if (tag.front() == '?' || tag.back() == '/') continue;
    if (tag.front() != '/') {
      open.push_back(name);
    } else if (open.empty() || open.back() != tag.substr(1)) {
      return false;
    } else {
      open.pop_back();
    }
  }
}

}  // namespace

TEST_CASE("markup is escaped, and what XML cannot hold is replaced") {
  CHECK(escape_markup("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  CHECK(escape_markup("é ∞ 😀") == "é ∞ 😀");
  CHECK(escape_markup("a\x01z") == "a\xef\xbf\xbdz");
  CHECK(escape_markup("a\xffz") == "a\xef\xbf\xbdz");
  CHECK(escape_markup("\xe2\x88") == "\xef\xbf\xbd\xef\xbf\xbd");         // cut short
  CHECK(escape_markup("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");         // longer than need be
  CHECK(escape_markup("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  CHECK(escape_markup("a\nb\tc") == "a&#10;b\tc");
}

TEST_CASE("the JSON reads back whole, an infinite error as null") {
  const test::Folder folder;
  const Report report = sample();
  const std::string json = to_json(report);
  CHECK(contains(json, "\"schema_version\": 2"));
  test::write_bytes(folder / "a.json", json);
  const Result<Report> read = read_report(folder / "a.json");
  REQUIRE_MESSAGE(read, (read ? "" : read.error().message));
  CHECK(to_json(*read) == json);
  REQUIRE(read->devices.size() == 2);
  CHECK(std::isinf(read->devices[0].results[1].error.value));
  CHECK(read->devices[0].results[1].status == Status::failed);
  CHECK(read->devices[0].count(Status::passed) == 1);
  CHECK(read->devices[1].absent == "no device 'gone'");
}

TEST_CASE("what is no report is an error with its file") {
  const test::Folder folder;
  const auto refused = [&](const std::string& text, std::initializer_list<std::string> texts) {
    test::write_bytes(folder / "a.json", text);
    test::check_error(read_report(folder / "a.json"), ErrorCode::io, texts);
  };
  refused("{", {"a.json", "not JSON"});
  refused("[]", {"a.json", "is no report"});
  refused("{}", {"a.json", "is no report"});
  refused(R"({"schema": "fovea-conformance", "schema_version": 1})", {"a.json", "schema version 1", "reads 2"});
  refused(R"({"schema": "fovea-conformance", "schema_version": 2})", {"a.json", "'fovea' not found"});
  std::string cut = to_json(sample());
  cut.replace(cut.find("\"runs\""), 6, "\"RUNS\"");
  refused(cut, {"a.json", "'runs' not found"});
}

TEST_CASE("a status that is not known reads as failed") {
  const test::Folder folder;
  std::string json = to_json(sample());
  json.replace(json.find("\"passed\""), 8, "\"perfect\"");
  test::write_bytes(folder / "a.json", json);
  CHECK(read_report(folder / "a.json")->devices[0].count(Status::failed) == 2);
}

TEST_CASE("merged reports keep every device, and say each thing once") {
  Report later = sample();
  later.started = "2026-11-28T00:00:00Z";
  later.corpora = {"tests/corpus", "more"};
  const Report whole = merge({later, sample()});
  CHECK(whole.devices.size() == 4);
  CHECK(whole.started == "2026-11-27T09:30:00Z");
  CHECK(whole.corpora == std::vector<std::string>{"tests/corpus", "more"});
  CHECK(whole.fovea == "0.1.0");
}

TEST_CASE("runs of one device are told apart, and a device under lowered limits from itself by those alone") {
  Report lowered = sample();
  lowered.devices[0].emulated = {{"max_invocations", 64}};
  const Report whole = merge({sample(), lowered, sample()});
  const std::string name = sample().devices[0].label();
  CHECK(headings(whole) == std::vector<std::string>{name + ", run 1", "gone, run 1", name, "gone, run 2", name + ", run 2", "gone, run 3"});
  for (const std::string& text : {to_html(whole), to_junit(whole)}) {
    CHECK(contains(text, "Mesa 22.3.6, run 2"));
    CHECK_FALSE(contains(text, "Mesa 22.3.6, run 3"));
  }
  CHECK(headings(sample()) == std::vector<std::string>{name, "gone"});
}

TEST_CASE("a result that sums up many counts as many, and is one of JUnit's test cases") {
  Report report = sample();
  report.devices[0].results[0].count = 20;
  report.devices[0].results[2].count = 7;
  CHECK(report.devices[0].count(Status::passed) == 20);
  CHECK(report.devices[0].count(Status::skipped) == 7);
  CHECK(contains(to_html(report), "20 passed"));
  CHECK(contains(to_html(report), "✓ 20"));
  CHECK(contains(to_junit(report), "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""));
}

TEST_CASE("the JUnit XML is well formed whatever the messages hold, and counts what it lists") {
  Report report = sample();
  report.devices[0].messages = {"left <over>"};
  const std::string xml = to_junit(report);
  CHECK(is_well_formed(xml));
  CHECK_FALSE(is_well_formed(xml.substr(0, xml.size() - 5)));
  CHECK(contains(xml, "tests=\"4\" failures=\"2\" errors=\"0\" skipped=\"1\""));
  CHECK(count(xml, "<failure ") == 2);
  CHECK(contains(xml, "message=\"absent: no device &#39;gone&#39;\""));
  CHECK(contains(xml, "name=\"rows softmax=softmax_group\""));
  CHECK(contains(xml, "tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\""));  // the absent device
}

TEST_CASE("the HTML is one file that asks for nothing, failures first") {
  const std::string html = to_html(sample());
  for (const char* outside : {"http:", "https:", "src=", "<link", "@import", "url(", "<script"}) CHECK_FALSE(contains(html, outside));
  CHECK_FALSE(contains(html, "<b>&\""));
  CHECK(contains(html, "llvmpipe &lt;&amp;&gt;"));
  CHECK(contains(html, "emulating max_invocations 128"));
  CHECK(contains(html, "<b>absent</b>: no device"));
  CHECK(contains(html, "∞"));
  const std::size_t table = html.find("class=\"row head\"");
  CHECK(html.find("<div>softmax</div>", table) < html.find("<div>relu</div>", table));
  CHECK(html.find("op_softmax/rows<br><small>softmax=softmax_group", table) < html.find("<div>op_softmax/rows</div>", table));
  CHECK(count(html, "<div") == count(html, "</div>"));
  CHECK(count(html, "<details") == count(html, "</details>"));
}
