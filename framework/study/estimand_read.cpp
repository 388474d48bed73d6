#include "study/estimand_read.h"

#include <algorithm>
#include <set>
#include <span>

#include "base/text.h"
#include "study/points.h"

namespace attune {
namespace {

using Kind = Estimand::Kind;

struct Word {
  const char* name;
  Kind kind;
  std::vector<std::string> keys;  // beside it
};

const std::vector<Word>& estimands() {
  static const std::vector<Word> words = {
      {"mean", Kind::mean, {"of"}},
      {"median", Kind::median, {"of"}},
      {"max", Kind::max, {"of"}},
      {"min", Kind::min, {"of"}},
      {"difference", Kind::difference, {"of", "minus"}},
      {"ratio", Kind::ratio, {"of", "over"}},
      {"fraction", Kind::fraction, {"of", "above", "below"}},
      {"slope", Kind::slope, {"of", "against", "scale"}},
      {"spearman", Kind::spearman, {"of", "against"}},
  };
  return words;
}

std::vector<std::string> names_of_estimands() {
  std::vector<std::string> names;
  for (const Word& word : estimands()) names.emplace_back(word.name);
  return names;
}

std::string names_of(std::span<const Row* const> rows) {
  std::vector<std::string> names;
  constexpr std::size_t kShown = 8;
  for (const Row* row : rows.first(std::min(rows.size(), kShown))) names.push_back(row->name);
  if (rows.size() > kShown) names.push_back(fmt::format("and {} more", rows.size() - kShown));
  return join(names);
}

class EstimandReader {
 public:
  EstimandReader(const Study& study, NodeReader& reader) : study_(study), reader_(reader) {}

  void read(const Node& node) {
    const std::size_t errors = reader_.diagnostics().count();
    const Word* word = nullptr;
    for (const Word& each : estimands())
      if (!word && node.find(each.name)) word = &each;
    if (!word) {
      reader_.error(node.at, fmt::format("{} is no estimand", node.shown()),
                    fmt::format("an estimand is one of {}, such as {{mean: test/accuracy}}",
                                join(names_of_estimands())));
      return;
    }
    estimand_.kind = word->kind;
    const Node::Entry& quantity = *node.find(word->name);
    std::vector<std::string> keys = {word->name, "where", "average_over", "at"};
    keys.insert(keys.end(), word->keys.begin(), word->keys.end());
    const Node* sides = &node;
    std::string over = word->kind == Kind::ratio ? "over" : "minus";
    estimand_.paired = word->kind == Kind::ratio || word->kind == Kind::difference;
    if (word->kind == Kind::slope && quantity.value.is_map()) {
      sides = &quantity.value;
      estimand_.paired = true;
      reader_.check_keys(*sides, {"difference", "of", "minus"}, "the estimand's slope");
      if (const Node::Entry* inner = sides->find("difference")) {
        read_scalar(inner->value, inner->at);
      } else {
        reader_.error(quantity.at,
                      "a slope is of a scalar, or of {difference: S, of: SEL, minus: SEL}");
      }
    } else {
      read_scalar(quantity.value, quantity.at);
    }
    reader_.check_keys(node, keys, fmt::format("the estimand {}", word->name));
    read_options(node);
    const Selector where =
        node.find("where") ? read_selector(node.find("where")->value, study_, reader_.diagnostics())
                           : Selector();
    Selector of = selector(*sides, "of", where), against;
    if (estimand_.paired) against = selector(*sides, over.c_str(), where);
    if (estimand_.paired && (!sides->find("of") || !sides->find(over)))
      reader_.error(node.at, fmt::format("a {} needs of: and {}:", word->name, over));
    if (reader_.diagnostics().count() != errors) return;
    make_cells(node, of, against);
    estimand_.words = words_of(*word, *sides, where);
  }

  Estimand take() { return std::move(estimand_); }

 private:
  void read_scalar(const Node& node, const Origin& at) {
    std::string why = "is no scalar";
    const auto scalar = node.is_scalar() ? parse_scalar(node.text, why) : std::nullopt;
    if (scalar) {
      estimand_.scalar = *scalar;
      scalar_at_ = node.at;
    } else {
      reader_.error(at, fmt::format("'{}' {}", node.shown(), why));
    }
  }

  // The estimand for people.
  std::string words_of(const Word& word, const Node& sides, const Selector& where) {
    const auto named = [&](const char* key) {
      const Node::Entry* given = sides.find(key);
      return given ? read_selector(given->value, study_, reader_.diagnostics()).text
                   : std::string();
    };
    const std::string of = named("of");
    std::string text = estimand_.scalar.text;
    if (estimand_.paired)
      text += fmt::format(", {} {} {}", of, estimand_.kind == Kind::ratio ? "over" : "minus",
                          named(estimand_.kind == Kind::ratio ? "over" : "minus"));
    else if (!of.empty())
      text += " of " + of;
    if (estimand_.kind == Kind::fraction)
      text += estimand_.above ? fmt::format(" above {}", *estimand_.above)
                              : fmt::format(" below {}", *estimand_.below);
    if (has_axis()) text += " against " + estimand_.against;
    if (estimand_.scale == Estimand::Scale::log_log) text += " (log-log)";
    if (estimand_.scale == Estimand::Scale::linear_log) text += " (linear-log)";
    if (!where.text.empty()) text += ", where " + where.text;
    if (!average_.empty()) text += ", mean over " + join(average_);
    if (estimand_.own_best) text += ", each at its own best";
    return fmt::format("{} of {}", word.name, text);
  }

  Selector selector(const Node& node, const char* key, const Selector& where) {
    const Node::Entry* given = node.find(key);
    return given ? both(read_selector(given->value, study_, reader_.diagnostics()), where) : where;
  }

  void read_options(const Node& node) {
    if (const Node::Entry* at = node.find("at")) {
      if (at->value.text != "own_best")
        reader_.error(at->at,
                      fmt::format("at={}; allowed is own_best, which takes on each side the row "
                                  "that select.by prefers",
                                  at->value.shown()));
      estimand_.own_best = true;
      const Row& row = study_.reference();
      if (!row.binding.find("select.by"))
        reader_.error(at->at,
                      fmt::format("at: own_best needs select.by, which rows of kind {} lack",
                                  row.kind().name));
      if (has_axis()) reader_.error(at->at, "at: own_best says nothing of a slope's levels");
    }
    if (const Node::Entry* average = node.find("average_over")) {
      average_ = NodeReader::words(average->value);
      averages_ = true;
      if (estimand_.own_best)
        reader_.error(average->at,
                      "at: own_best and average_over both say which of several rows count");
    }
    estimand_.above =
        estimand_.kind == Kind::fraction ? reader_.number(node, "above") : std::nullopt;
    estimand_.below =
        estimand_.kind == Kind::fraction ? reader_.number(node, "below") : std::nullopt;
    if (estimand_.kind == Kind::fraction &&
        estimand_.above.has_value() == estimand_.below.has_value())
      reader_.error(node.at,
                    "a fraction is of replicates above or below a value: {fraction: S, above: x}");
    if (const Node::Entry* scale = node.find("scale")) {
      using Scale = Estimand::Scale;
      if (scale->value.text == "linear") {
        estimand_.scale = Scale::linear;
      } else if (scale->value.text == "log-log") {
        estimand_.scale = Scale::log_log;
      } else if (scale->value.text == "linear-log") {
        estimand_.scale = Scale::linear_log;
      } else {
        reader_.error(scale->at, fmt::format("scale={}; allowed are linear, log-log, linear-log",
                                             scale->value.shown()));
      }
    }
    if (has_axis()) {
      estimand_.against = reader_.text(node, "against");
      if (estimand_.against.empty())
        reader_.error(node.at, "a slope needs against: KEY, the key whose values are its axis");
    }
  }

  bool has_axis() const {
    return estimand_.kind == Kind::slope || estimand_.kind == Kind::spearman;
  }

  // Selects on one side; several rows need a reason to be one.
  std::optional<Side> side(const Selector& selector, const Node& node) {
    Selector is = selector;
    const bool sweep = !study_.varied.empty();
    if (is.selects_all() && !sweep && !has_axis()) is.reference = true;
    const std::vector<const Row*> rows = selected(is, study_);
    if (rows.empty()) {
      reader_.error(node.at, fmt::format("no row has {} at once", is.text));
      return std::nullopt;
    }
    return Side{rows};
  }

  bool one_or_averaged(const Side& side, const std::string& what, const Node& node) {
    if (side.rows.size() == 1 || estimand_.own_best) return true;
    if (averages_) {
      // All that differ must differ in these keys alone.
      std::set<std::string> rest;
      for (const Row* row : side.rows) {
        std::string text;
        for (const std::string& key : distinguishing_keys())
          if (std::find(average_.begin(), average_.end(), key) == average_.end())
            text += value_in(*row, key) + "\n";
        rest.insert(text);
      }
      if (rest.size() == 1) return true;
    }
    reader_.error(
        node.at,
        fmt::format("{} selects {} rows: {}", what.empty() ? "the estimand" : what,
                    side.rows.size(), names_of(side.rows)),
        averages_ ? "they differ in more than average_over names; select further, or name it too"
                  : "select further (of: {KEY: VALUE}), or give average_over: [KEY] or at: "
                    "own_best");
    return false;
  }

  std::vector<std::string> distinguishing_keys() const {
    if (!study_.varied.empty()) return study_.varied;
    std::set<std::string> keys;
    for (const Row& row : study_.rows)
      for (const auto& [factor, level] : row.factors) keys.insert(factor);
    if (keys.empty()) keys.insert("row");
    return {keys.begin(), keys.end()};
  }

  void make_cells(const Node& node, const Selector& of, const Selector& against) {
    const auto left = side(of, node);
    const auto right = estimand_.paired ? side(against, node) : std::optional<Side>(Side());
    if (!left || !right) return;
    for (const Side* each : {&*left, &*right})
      for (const Row* row : each->rows)
        if (const std::string problem = scalar_problem(estimand_.scalar, *row); !problem.empty())
          return reader_.error(scalar_at_, fmt::format("'{}' {}", estimand_.scalar.text, problem));
    if (!has_axis()) {
      const std::string side_name = estimand_.kind == Kind::ratio ? "over" : "minus";
      if (!one_or_averaged(*left, of.text, node)) return;
      if (estimand_.paired && !one_or_averaged(*right, against.text, node)) return;
      if (estimand_.paired && left->rows == right->rows)
        return reader_.error(node.at, fmt::format("of and {} select the same row, {}", side_name,
                                                  names_of(left->rows)));
      estimand_.cells.push_back({0, *left, *right});
      return check_solved(node);
    }
    for (const Row* row : left->rows) {
      const auto x = number_of(value_in(*row, estimand_.against));
      if (!x)
        return reader_.error(node.at,
                             fmt::format("against={}: the row {} has {}, which is no number",
                                         estimand_.against, row->name,
                                         value_in(*row, estimand_.against).empty()
                                             ? "none"
                                             : value_in(*row, estimand_.against)));
      if (estimand_.scale != Estimand::Scale::linear && !(*x > 0))
        return reader_.error(node.at,
                             fmt::format("against={}: the row {} has {}, of which there is no log",
                                         estimand_.against, row->name, *x));
      cell_at(*x).of.rows.push_back(row);
    }
    for (const Row* row : right->rows)
      if (const auto x = number_of(value_in(*row, estimand_.against)))
        cell_at(*x).against.rows.push_back(row);
    for (const Cell& cell : estimand_.cells) {
      if (cell.of.rows.empty() || (estimand_.paired && cell.against.rows.empty()))
        return reader_.error(node.at, fmt::format("at {}={} there is a row on one side alone",
                                                  estimand_.against, cell.x));
      const std::string what = fmt::format("{}={}", estimand_.against, cell.x);
      if (!one_or_averaged(cell.of, what, node)) return;
      if (estimand_.paired && !one_or_averaged(cell.against, what, node)) return;
    }
    if (estimand_.cells.size() < 2)
      reader_.error(node.at, fmt::format("a {} against {} needs rows at two values of it at least",
                                         estimand_.kind == Kind::slope ? "slope" : "spearman",
                                         estimand_.against));
  }

  Cell& cell_at(double x) {
    std::vector<Cell>& cells = estimand_.cells;
    const auto at = std::lower_bound(cells.begin(), cells.end(), x,
                                     [](const Cell& cell, double value) { return cell.x < value; });
    if (at != cells.end() && at->x == x) return *at;
    return *cells.insert(at, {x, {}, {}});
  }

  void check_solved(const Node& node) {
    if (estimand_.kind != Kind::mean || !estimand_.scalar.name.ends_with("accuracy")) return;
    for (const Row* row : estimand_.cells.front().of.rows)
      if (const auto solved = row->kind_options().solved_at())
        return reader_.error(
            node.at,
            fmt::format("seeds solve this task or fail at it, so that the mean of {} says "
                        "nothing of them",
                        estimand_.scalar.text),
            fmt::format("claim the share that solves it: {{fraction: {}, above: {}}}",
                        estimand_.scalar.text, *solved));
  }

  const Study& study_;
  NodeReader& reader_;
  Estimand estimand_;
  Origin scalar_at_;
  std::vector<std::string> average_;
  bool averages_ = false;
};

}  // namespace

Estimand read_estimand(const Node& node, const Study& study, NodeReader& reader) {
  EstimandReader estimand(study, reader);
  estimand.read(node);
  return estimand.take();
}

}  // namespace attune
