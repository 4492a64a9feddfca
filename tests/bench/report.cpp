// Goals, and what is concluded of them, from times made up here.

#include "bench/report.hpp"

#include "tests/io/folder.hpp"

using namespace bench;

namespace {

RowResult row_of(std::string name, std::vector<Side> sides) {
  return {.name = std::move(name), .sides = std::move(sides)};
}

Report a_report() {
  Report report{.driver = "d", .device = "a <device>", .version = "v", .date = "2026-01-01"};
  report.rows.push_back(row_of("softmax", {{.name = "fovea", .wall = 2, .processor = 4},
                                           {.name = "peer", .wall = 30, .processor = 30},
                                           {.name = "peer:other", .wall = 10, .processor = 40},
                                           {.name = "copy", .wall = 1, .processor = 2},
                                           {.name = "gone", .absent = "it ended"}}));
  report.rows.push_back(row_of(
      "growth", {{.name = "fovea", .wall = 100, .processor = 100}, {.name = "half", .wall = 95, .processor = 120}}));
  report.rows[0].cold = 80, report.rows[0].cold_processor = 60;
  report.rows[1].cold = 600, report.rows[1].cold_processor = 300;
  report.rows[1].arena_bytes = 4096;
  return report;
}

Judgement judged(const Goal& goal) {
  const auto all = judge(a_report(), {goal, {"another driver", goal.row, goal.against, goal.relation, goal.value}},
                         {"softmax", "growth", "skipped"});
  REQUIRE(all.size() == 1);
  return all[0];
}

std::string goals_error(const std::string& text) {
  const fovea::test::Folder folder;
  const auto path = folder / "goals.txt";
  fovea::test::write_bytes(path, text);
  const auto goals = read_goals(path);
  return goals ? "" : goals.error().message.substr(path.string().size());
}

}  // namespace

TEST_CASE("a peer's fastest setting counts") {
  const Judgement j = judged({"d", "softmax", "peer", "at-least", 4});
  CHECK(j.reached == 5);
  CHECK(j.reached_processor == 10);
  CHECK(j.note == "peer:other");
  CHECK(j.verdict == Verdict::met);
  CHECK(j.margin() == doctest::Approx(1.25));
  CHECK(judged({"d", "softmax", "peer", "at-least", 5.1}).verdict == Verdict::missed);
  CHECK(judged({"d", "softmax", "copy", "at-least", 0.5}).verdict == Verdict::met);
}

TEST_CASE("a growth is met from both sides") {
  CHECK(judged({"d", "growth", "half", "within", 0.1}).verdict == Verdict::met);
  CHECK(judged({"d", "growth", "half", "within", 0.04}).verdict == Verdict::missed);
}

TEST_CASE("a row of * is the worst of all, and memory is the row's") {
  const Judgement cold = judged({"d", "*", "cold", "at-most", 500});
  CHECK(cold.reached == 600);
  CHECK(cold.reached_processor == 300);
  CHECK(cold.note == "growth");
  CHECK(cold.verdict == Verdict::missed);
  CHECK(judged({"d", "growth", "arena", "at-most", 4096}).verdict == Verdict::met);
  CHECK(judged({"d", "growth", "arena", "at-most", 4095}).verdict == Verdict::missed);
}

TEST_CASE("what was not measured is neither met nor missed, and says why") {
  CHECK(judged({"d", "softmax", "gone", "at-least", 1}).note == "it ended");
  CHECK(judged({"d", "softmax", "nobody", "at-least", 1}).note == "not measured");
  CHECK(judged({"d", "skipped", "peer", "at-least", 1}).note == "not measured");
  const Judgement missing = judged({"d", "no such row", "peer", "at-least", 1});
  CHECK(missing.note == "Fovea has no such operator yet");
  CHECK(missing.verdict == Verdict::absent);
  CHECK(missing.margin() == 0);
}

TEST_CASE("a report is the same after writing and reading") {
  const fovea::test::Folder folder;
  const auto path = folder / "report.json";
  Report report = a_report();
  report.peers = {{"peer", "library 1"}};
  fovea::test::write_bytes(path, to_json(report));
  const auto again = read_report(path);
  REQUIRE(again);
  CHECK(to_json(*again) == to_json(report));
  fovea::test::write_bytes(path, "{\"schema\": \"another\"}");
  CHECK(read_report(path).error().message == path.string() + ": not a report of fovea-bench, schema version 1");
}

TEST_CASE("goals are read, and a line that is none is an error with its number") {
  CHECK(goals_error("# a comment\n\nd softmax peer at-least 4\n").empty());
  CHECK(goals_error("\nd softmax peer about 4\n").starts_with(":2: no goal"));
  CHECK(goals_error("d softmax peer at-least\n").starts_with(":1: no goal"));
  CHECK(goals_error("d softmax peer at-least 4 5\n").starts_with(":1: no goal"));
  CHECK(goals_error("d softmax peer at-least -4\n").starts_with(":1: no goal"));
  CHECK(read_goals(FOVEA_GOALS).value().size() > 30);
  CHECK(!read_goals("no/such/file"));
}

TEST_CASE("the table and the page name every goal, what was reached, and escape what is markup") {
  const Report report = a_report();
  const auto judgements =
      judge(report, {{"d", "softmax", "peer", "at-least", 4}, {"d", "no such row", "peer", "at-least", 1}}, {});
  const std::string table = goals_table(report, judgements), picture = page({{report, judgements}});
  for (const std::string& text : {table, picture})
    for (const char* word : {"softmax", "no such row", "5.00", "no such operator"})
      CHECK_MESSAGE(text.find(word) != std::string::npos, word);
  CHECK(table.find("at-least 4  met (peer:other)") != std::string::npos);
  CHECK(picture.find("a &lt;device&gt;") != std::string::npos);
  CHECK(picture.find("1 of 2 goals met") != std::string::npos);
}
