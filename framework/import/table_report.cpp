#include "base/text.h"
#include "import/counts.h"
#include "import/names.h"
#include "import/tables.h"

namespace attune {
namespace {

Index n_examples(const TableReport& report) {
  return static_cast<Index>(report.columns.group.size());
}

std::string warnings(const TableReport& report) {
  std::string text;
  if (!report.uneven.empty())
    text += fmt::format(
        "\nwarning: {} of the features vary a thousand times more than another: {}.\nValues are "
        "trained on as they are: bring them to one scale first\n",
        report.uneven.size(), join(report.uneven));
  if (report.equal.empty()) return text;
  std::vector<std::string> lines;
  for (const EqualRows& set : report.equal) {
    std::vector<std::string> numbers;
    for (const std::size_t line : set.lines) numbers.push_back(std::to_string(line));
    lines.push_back("lines " + join(numbers, " = ") +
                    (set.across_labels ? ": different labels" : ": different groups"));
  }
  return text + fmt::format(
                    "\nwarning: {} sets of equal {} stand in several groups or have several "
                    "labels.\nGive those of one group name, and remove what is labelled twice:{}\n",
                    report.equal.size(), report.kind == "pairs" ? "inputs" : "rows", listed(lines));
}

std::string headline(const TableReport& report) {
  const Index n = n_examples(report);
  if (report.kind == "vectors")
    return fmt::format("{}: {} vectors of {} features ({})\n", report.output, n,
                       report.features.size(), join(report.features));
  if (report.kind == "pairs")
    return fmt::format("{}: {} {} of sequences, inputs of {} different tokens and answers of {}\n",
                       report.output, n, n == 1 ? "pair" : "pairs", report.vocabulary,
                       report.answer_vocabulary);
  return fmt::format("{}: {} {} of tokens, {} different ones\n", report.output, n,
                     n == 1 ? "sequence" : "sequences", report.vocabulary);
}

}  // namespace

std::string table_report_text(const TableReport& report) {
  const Counts counts = count(report.columns);
  std::string text = headline(report);
  if (!report.left_out.empty())
    text += fmt::format("left out {} columns that hold no numbers: {}\n", report.left_out.size(),
                        join(report.left_out));
  text += "\n" + label_table(report.columns, counts, "examples");
  text += "\n" + spread_head() + spread_row("examples a group", spread_of(counts.of_group));
  if (report.kind == "tokens") text += spread_row("sequence length", spread_of(report.lengths));
  if (report.kind == "pairs")
    text += spread_row("input length", spread_of(report.lengths)) +
            spread_row("answer length", spread_of(report.answer_lengths));
  if (report.columns.label.empty() && report.kind == "tokens")
    text += "\nno labels are given: it is a text to be continued, for data.kind=text\n";
  if (!report.has_groups && n_examples(report) > 1)
    text += "\nno groups are given: each row is its own\n";
  return text + warnings(report);
}

Json table_report_json(const TableReport& report) {
  const Counts counts = count(report.columns);
  Json equal(Json::List{});
  for (const EqualRows& set : report.equal) {
    Json lines(Json::List{});
    for (const std::size_t line : set.lines) lines.push(static_cast<Index>(line));
    equal.push(Json()
                   .set("across_groups", set.across_groups)
                   .set("across_labels", set.across_labels)
                   .set("lines", std::move(lines)));
  }
  Json json = Json()
                  .set("output", report.output)
                  .set("kind", report.kind)
                  .set("examples", n_examples(report))
                  .set("labels", label_json(report.columns, counts, "examples"))
                  .set("groups", group_json(counts, report.has_groups))
                  .set("split_given", report.has_split)
                  .set("equal_rows", std::move(equal));
  if (report.kind != "vectors")
    json.set("tokens", json_of(spread_of(report.lengths))).set("vocabulary", report.vocabulary);
  if (report.kind == "pairs")
    json.set("answer_tokens", json_of(spread_of(report.answer_lengths)))
        .set("answer_vocabulary", report.answer_vocabulary);
  if (report.kind == "vectors") {
    json.set("features", report.features)
        .set("columns_left_out", report.left_out)
        .set("uneven_features", report.uneven);
  }
  return json;
}

}  // namespace attune
