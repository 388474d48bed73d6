#include "import/tables.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "datasets/pair_file.h"
#include "datasets/token_file.h"
#include "datasets/vector_file.h"
#include "import/csv.h"
#include "import/names.h"

namespace attune {
namespace {

// Faulty lines, all told at once.
class Faults {
 public:
  explicit Faults(const std::string& source) : source_(source) {}
  void add(std::size_t line, const std::string& what) {
    faults_.push_back(fmt::format("{}:{}: {}", source_, line, what));
  }
  void raise() const {
    ATTUNE_CHECK(faults_.empty(), DataError, "{} faults:{}\nNothing was written.", faults_.size(),
                 listed(faults_));
  }

 private:
  std::string source_;
  std::vector<std::string> faults_;
};

std::ifstream opened(const TableOptions& options) {
  ATTUNE_CHECK(!std::filesystem::is_directory(options.source), DataError,
               "{} is a folder, and tables and texts are files", options.source);
  std::ifstream stream(options.source, std::ios::binary);
  ATTUNE_CHECK(stream, DataError, "{} cannot be opened", options.source);
  check_dataset_output(options.output, {options.source});
  return stream;
}

// The columns label, group and split of a table, row by row.
class Labels {
 public:
  enum class Has { label, perhaps_label, no_label };
  Labels(const Csv& csv, const LabelColumns& columns, Has has)
      : label_(has == Has::no_label ? std::nullopt
                                    : csv.column(columns.label, "label",
                                                 has == Has::label || columns.label != "label")),
        group_(csv.column(columns.group, "group", columns.group != "group")),
        split_(csv.column(columns.split, "split", columns.split != "split")) {}

  bool takes(std::size_t column) const {
    return label_ == column || group_ == column || split_ == column;
  }
  bool has_groups() const { return group_.has_value(); }
  bool has_split() const { return split_.has_value(); }

  void add(const std::vector<std::string>& row, std::size_t line, Faults& faults) {
    lines_.push_back(line);
    if (label_) labels_.push_back(row[*label_]);
    if (label_ && row[*label_].empty()) faults.add(line, "has no label");
    if (group_) groups_.push_back(row[*group_]);
    if (group_ && row[*group_].empty())
      faults.add(line, "has no group: give it one, its own where it is not known");
    if (!split_) return;
    static const std::map<std::string, std::int32_t> kWords = {
        {"train", 0}, {"val", 1}, {"test", 2}, {"0", 0}, {"1", 1}, {"2", 2}};
    const auto word = kWords.find(row[*split_]);
    split_values_.push_back(word == kWords.end() ? 0 : word->second);
    if (word == kWords.end())
      faults.add(line, fmt::format("split '{}' is none of train, val, test", row[*split_]));
  }

  ExampleColumns columns(const std::string& source) const {
    ExampleColumns columns;
    columns.split = split_values_;
    std::map<std::string, std::string> first;
    for (std::size_t i = 0; i < labels_.size(); ++i)
      first.emplace(labels_[i], fmt::format("line {} of {}", lines_[i], source));
    require_lines(first);
    columns.class_names = in_order({labels_.begin(), labels_.end()});
    std::map<std::string, std::int32_t> number;
    for (const std::string& name : columns.class_names)
      number.emplace(name, static_cast<std::int32_t>(number.size()));
    for (const std::string& label : labels_) columns.label.push_back(number.at(label));
    const auto groups = group_numbers({groups_.begin(), groups_.end()});
    for (const std::string& group : groups_) columns.group.push_back(groups.at(group));
    for (std::size_t i = 0; groups_.empty() && i < lines_.size(); ++i)
      columns.group.push_back(static_cast<std::int32_t>(i));
    return columns;
  }

  const std::vector<std::size_t>& lines() const { return lines_; }

 private:
  std::optional<std::size_t> label_, group_, split_;
  std::vector<std::string> labels_, groups_;
  std::vector<std::int32_t> split_values_;
  std::vector<std::size_t> lines_;
};

// content(i): the bytes of row i. Where groups are not given, each row is one.
template <class Content>
std::vector<EqualRows> equal_rows(const ExampleColumns& columns, const Labels& labels,
                                  const Content& content) {
  std::map<std::string, std::vector<std::size_t>> rows;
  for (std::size_t i = 0; i < columns.group.size(); ++i) rows[sha256(content(i))].push_back(i);
  std::vector<EqualRows> sets;
  for (const auto& [hash, same] : rows) {
    EqualRows set;
    for (const std::size_t i : same) {
      set.lines.push_back(labels.lines()[i]);
      set.across_groups = set.across_groups || columns.group[i] != columns.group[same[0]];
      set.across_labels = set.across_labels ||
                          (!columns.label.empty() && columns.label[i] != columns.label[same[0]]);
    }
    if (set.across_groups || set.across_labels) sets.push_back(std::move(set));
  }
  std::sort(sets.begin(), sets.end(),
            [](const EqualRows& a, const EqualRows& b) { return a.lines < b.lines; });
  return sets;
}

template <class T>
std::string_view bytes_of(const T* first, Index n) {
  return {reinterpret_cast<const char*>(first), static_cast<std::size_t>(n) * sizeof(T)};
}

std::string_view bytes_of(const TokenSequences& sequences, std::size_t i) {
  const auto sequence = sequences.sequence(static_cast<Index>(i));
  return bytes_of(sequence.data(), static_cast<Index>(sequence.size()));
}

// Words as ids, in the order in which they come; finish() numbers them as the vocabulary does.
class Vocabulary {
 public:
  std::int32_t id(const std::string& word) {
    return ids_.emplace(word, static_cast<std::int32_t>(ids_.size())).first->second;
  }
  // The words of a text behind the others; false where there are none.
  bool add_sequence(const std::string& text, TokenSequences& to) {
    std::istringstream words(text);
    for (std::string word; words >> word;) to.tokens.push_back(id(word));
    to.offsets.push_back(static_cast<Index>(to.tokens.size()));
    return to.n_tokens(to.size() - 1) > 0;
  }
  void finish(TokenSequences& table) const {
    std::set<std::string> words;
    for (const auto& [word, id] : ids_) words.insert(word);
    table.vocabulary = in_order(words);
    std::vector<std::int32_t> place(ids_.size());
    for (std::size_t i = 0; i < table.vocabulary.size(); ++i)
      place[static_cast<std::size_t>(ids_.at(table.vocabulary[i]))] = static_cast<std::int32_t>(i);
    for (std::int32_t& token : table.tokens) token = place[static_cast<std::size_t>(token)];
  }

 private:
  std::map<std::string, std::int32_t> ids_;
};

std::vector<Index> lengths_of(const TokenSequences& sequences) {
  std::vector<Index> lengths;
  for (Index i = 0; i < sequences.size(); ++i) lengths.push_back(sequences.n_tokens(i));
  return lengths;
}

bool is_csv(const std::string& path) { return path.ends_with(".csv") || path.ends_with(".CSV"); }

TableReport written(const TableOptions& options, TokenTable table, TableReport report) {
  report.output = options.output;
  report.kind = "tokens";
  report.lengths = lengths_of(table);
  report.vocabulary = static_cast<Index>(table.vocabulary.size());
  report.columns = table;
  write_token_file(options.output, std::move(table));
  return report;
}

TableReport import_text(const TableOptions& options) {
  std::ifstream stream = opened(options);
  const std::string text = utf8_text(stream, options.source, "text in UTF-8");
  ATTUNE_CHECK(!text.empty(), DataError, "{} is empty: nothing was written", options.source);
  TokenTable table;
  Vocabulary vocabulary;
  for (std::size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
    bytes = code_point_bytes(text, at);
    table.tokens.push_back(vocabulary.id(text.substr(at, bytes)));
  }
  vocabulary.finish(table);
  table.offsets.push_back(static_cast<Index>(table.tokens.size()));
  table.group = {0};
  return written(options, std::move(table), {});
}

// A column of a table of vectors, of which numbers or words have been seen so far.
struct Feature {
  std::size_t column;
  std::size_t number_line = 0, word_line = 0;  // the first of each; 0 where there is none
  std::vector<float> values;
};

void add(Feature& feature, const std::string& name, const std::string& text, std::size_t line,
         Faults& faults) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  const auto narrow = static_cast<float>(value);
  feature.values.push_back(narrow);
  if (is_number && !std::isfinite(narrow))
    faults.add(line, fmt::format("column '{}' holds {}, no finite number in float32", name, text));
  std::size_t& first = is_number ? feature.number_line : feature.word_line;
  if (first > 0) return;
  first = line;
  if (feature.number_line > 0 && feature.word_line > 0)
    faults.add(line, fmt::format("column '{}' holds '{}' here and {} in line {}: a feature has "
                                 "numbers in every row",
                                 name, text, is_number ? "no number" : "a number",
                                 is_number ? feature.word_line : feature.number_line));
}

// Features whose spread is a thousand times another's, of those that vary.
std::vector<std::string> uneven_features(const VectorTable& table) {
  constexpr double kUneven = 1000;
  const auto d = static_cast<std::size_t>(table.width);
  std::vector<double> deviation(d);
  for (std::size_t j = 0; j < d; ++j) {
    double mean = 0, squares = 0;
    const auto n = static_cast<double>(table.size());
    for (std::size_t i = j; i < table.x.size(); i += d) mean += static_cast<double>(table.x[i]) / n;
    for (std::size_t i = j; i < table.x.size(); i += d) {
      const double off = static_cast<double>(table.x[i]) - mean;
      squares += off * off / n;
    }
    deviation[j] = std::sqrt(squares);
  }
  double least = 0;
  for (const double s : deviation)
    if (s > 0 && (least == 0 || s < least)) least = s;
  std::vector<std::string> uneven;
  for (std::size_t j = 0; j < d; ++j)
    if (least > 0 && deviation[j] > kUneven * least) uneven.push_back(table.feature_names[j]);
  return uneven;
}

}  // namespace

TableReport import_tokens(const TableOptions& options) {
  if (!is_csv(options.source)) return import_text(options);
  std::ifstream stream = opened(options);
  Csv csv(stream, options.source);
  const std::size_t column = *csv.column(options.columns.tokens, "tokens", true);
  Labels labels(csv, options.columns, Labels::Has::perhaps_label);
  Faults faults(options.source);
  TokenTable table;
  Vocabulary vocabulary;
  while (const auto row = csv.next()) {
    if (!vocabulary.add_sequence((*row)[column], table)) faults.add(csv.line(), "has no tokens");
    labels.add(*row, csv.line(), faults);
  }
  faults.raise();
  ATTUNE_CHECK(table.size() > 0, DataError, "{} has no rows: nothing was written", options.source);
  vocabulary.finish(table);
  static_cast<ExampleColumns&>(table) = labels.columns(options.source);
  TableReport report;
  report.has_groups = labels.has_groups();
  report.has_split = labels.has_split();
  report.equal = equal_rows(table, labels, [&](std::size_t i) { return bytes_of(table, i); });
  return written(options, std::move(table), std::move(report));
}

TableReport import_pairs(const TableOptions& options) {
  std::ifstream stream = opened(options);
  Csv csv(stream, options.source);
  const std::size_t input = *csv.column(options.columns.input, "input", true),
                    answer = *csv.column(options.columns.answer, "answer", true);
  Labels labels(csv, options.columns, Labels::Has::no_label);
  Faults faults(options.source);
  PairTable table;
  Vocabulary inputs, answers;
  while (const auto row = csv.next()) {
    if (!inputs.add_sequence((*row)[input], table.input)) faults.add(csv.line(), "has no input");
    if (!answers.add_sequence((*row)[answer], table.answer))
      faults.add(csv.line(), "has no answer");
    labels.add(*row, csv.line(), faults);
  }
  faults.raise();
  ATTUNE_CHECK(table.size() > 0, DataError, "{} has no rows: nothing was written", options.source);
  inputs.finish(table.input);
  answers.finish(table.answer);
  static_cast<ExampleColumns&>(table) = labels.columns(options.source);

  TableReport report;
  report.output = options.output;
  report.kind = "pairs";
  report.has_groups = labels.has_groups();
  report.has_split = labels.has_split();
  report.lengths = lengths_of(table.input);
  report.vocabulary = static_cast<Index>(table.input.vocabulary.size());
  report.answer_lengths = lengths_of(table.answer);
  report.answer_vocabulary = static_cast<Index>(table.answer.vocabulary.size());
  report.equal = equal_rows(table, labels, [&](std::size_t i) { return bytes_of(table.input, i); });
  report.columns = table;
  write_pair_file(options.output, std::move(table));
  return report;
}

TableReport import_vectors(const TableOptions& options) {
  std::ifstream stream = opened(options);
  Csv csv(stream, options.source);
  Labels labels(csv, options.columns, Labels::Has::label);
  Faults faults(options.source);
  std::vector<Feature> features;
  for (std::size_t c = 0; c < csv.header().size(); ++c)
    if (!labels.takes(c)) features.push_back({.column = c, .values = {}});
  while (const auto row = csv.next()) {
    labels.add(*row, csv.line(), faults);
    for (Feature& feature : features)
      add(feature, csv.header()[feature.column], (*row)[feature.column], csv.line(), faults);
  }
  faults.raise();
  ATTUNE_CHECK(!labels.lines().empty(), DataError, "{} has no rows: nothing was written",
               options.source);

  TableReport report;
  std::vector<const Feature*> numbers;
  for (const Feature& feature : features) {
    const std::string& name = csv.header()[feature.column];
    (feature.number_line > 0 ? report.features : report.left_out).push_back(name);
    if (feature.number_line > 0) numbers.push_back(&feature);
  }
  ATTUNE_CHECK(!numbers.empty(), DataError,
               "{} has no column of numbers beside its labels; it has {}. Nothing was written",
               options.source, join(csv.header()));
  const std::set<std::string> distinct(report.features.begin(), report.features.end());
  ATTUNE_CHECK(distinct.size() == report.features.size(), DataError,
               "{} has two columns of numbers of one name; it has {}. Rename one of them",
               options.source, join(csv.header()));
  VectorTable table;
  static_cast<ExampleColumns&>(table) = labels.columns(options.source);
  table.width = static_cast<Index>(numbers.size());
  table.feature_names = report.features;
  for (std::size_t i = 0; i < labels.lines().size(); ++i)
    for (const Feature* feature : numbers) table.x.push_back(feature->values[i]);

  report.output = options.output;
  report.kind = "vectors";
  report.has_groups = labels.has_groups();
  report.has_split = labels.has_split();
  report.uneven = uneven_features(table);
  report.equal = equal_rows(table, labels, [&](std::size_t i) {
    return bytes_of(table.x.data() + static_cast<Index>(i) * table.width, table.width);
  });
  report.columns = table;
  write_vector_file(options.output, std::move(table));
  return report;
}

}  // namespace attune
