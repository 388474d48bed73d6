#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "base/text.h"
#include "stats/formulas.h"
#include "stats/replicates.h"
#include "study/claim.h"
#include "study/points.h"
#include "study/study_file.h"

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

class Reader {
 public:
  Reader(const Study& study, Diagnostics& diagnostics) : study_(study), diagnostics_(diagnostics) {}

  Claim claim(const Node& item) {
    claim_ = Claim();
    claim_.at = item.at;
    if (!item.is_map()) {
      error(item.at,
            fmt::format("a claim is a map with id, estimand and expect, not {}", item.shown()));
      return claim_;
    }
    check_keys(item, {"id", "says", "source", "estimand", "expect", "known", "if_failed", "over"},
               "a claim");
    claim_.hash = hash_of_claim(item);
    claim_.id = text(item, "id");
    claim_.says = text(item, "says");
    claim_.source = text(item, "source");
    if (claim_.id.empty()) error(item.at, "a claim must have an id, a short word of its own");
    if (item.find("known")) claim_.known = text(item, "known");
    if (claim_.known != "supported" && claim_.known != "contradicted" &&
        claim_.known != "undecided")
      error(item.find("known")->at,
            fmt::format("known={} is no verdict; allowed are supported, contradicted, undecided",
                        claim_.known));
    read_failed(item);
    read_over(item);
    if (const Node::Entry* estimand = item.find("estimand")) {
      claim_.estimand_text = flow_text(estimand->value);
      read_estimand(estimand->value);
    } else {
      error(item.at, fmt::format("the claim {} has no estimand: {{mean: test/accuracy}}, "
                                 "{{difference: test/loss, of: reference, minus: {{…}}}}",
                                 claim_.id));
    }
    if (const Node::Entry* expect = item.find("expect")) {
      claim_.expect_text = flow_text(expect->value);
      read_region(expect->value);
      if (diagnostics_.ok()) check_region(expect->at);
    } else {
      error(item.at, fmt::format("the claim {} expects nothing: expect: {{above: 0.02}}, {{below: "
                                 "x}}, {{between: [a, b]}} or {{equal: x}}",
                                 claim_.id));
    }
    return claim_;
  }

 private:
  void error(const Origin& at, std::string message, std::string hint = {}) {
    Diagnostic d{.at = at, .message = std::move(message)};
    if (!hint.empty()) d.hints = {std::move(hint)};
    diagnostics_.error(std::move(d));
  }

  void check_keys(const Node& map, const std::vector<std::string>& known, const std::string& what) {
    for (const Node::Entry& entry : map.entries) {
      if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
      const auto meant = did_you_mean(entry.key, known);
      error(entry.at,
            fmt::format("unknown key '{}' of {}{}", entry.key, what,
                        meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
            "its keys are: " + join(known));
    }
  }

  std::string text(const Node& map, const char* key) {
    const Node::Entry* found = map.find(key);
    if (!found) return {};
    if (found->value.is_scalar()) return found->value.text;
    error(found->at, fmt::format("{}={} is no text", key, found->value.shown()));
    return {};
  }

  std::optional<double> number(const Node& map, const char* key) {
    const Node::Entry* found = map.find(key);
    if (!found) return std::nullopt;
    const auto value = number_of(found->value);
    if (!value || !std::isfinite(*value))
      error(found->at, fmt::format("{}={} is no number", key, found->value.shown()));
    return value;
  }

  void read_failed(const Node& item) {
    const Node::Entry* failed = item.find("if_failed");
    if (!failed) return;
    const auto value = failed->value.is_map() ? number(failed->value, "value") : std::nullopt;
    if (value && failed->value.entries.size() == 1) {
      claim_.if_failed = Claim::Failed::value;
      claim_.failed_value = *value;
    } else if (failed->value.text == "drop") {
      claim_.if_failed = Claim::Failed::drop;
    } else if (failed->value.text != "undecided") {
      error(failed->at, fmt::format("if_failed={}; allowed are undecided, drop and {{value: x}}",
                                    failed->value.shown()));
    }
  }

  void read_over(const Node& item) {
    const Node::Entry* over = item.find("over");
    if (!over) return;
    std::set<std::string> words;
    if (over->value.is_scalar()) words.insert(over->value.text);
    for (const Node& word : over->value.items) words.insert(word.text);
    if (words == std::set<std::string>{"seeds"}) {
      claim_.over = Claim::Over::seeds;
    } else if (words == std::set<std::string>{"groups", "seeds", "training_sets"}) {
      claim_.over = Claim::Over::training_sets;
      if (study_.reference().kind_options().folds().count < 2)
        error(over->at,
              "over: [seeds, groups, training_sets] needs data with folds "
              "(data.split: {scheme: kfold})");
    } else if (words != std::set<std::string>{"groups", "seeds"}) {
      error(over->at, fmt::format("over={}; allowed are seeds, [seeds, groups] and [seeds, groups, "
                                  "training_sets]",
                                  over->value.shown()));
    }
  }

  void read_scalar(const Node& node, const Origin& at) {
    std::string why = "is no scalar";
    const auto scalar = node.is_scalar() ? parse_scalar(node.text, why) : std::nullopt;
    if (scalar) {
      claim_.estimand.scalar = *scalar;
      scalar_at_ = node.at;
    } else {
      error(at, fmt::format("'{}' {}", node.shown(), why));
    }
  }

  void read_estimand(const Node& node) {
    const Word* word = nullptr;
    for (const Word& each : estimands())
      if (!word && node.find(each.name)) word = &each;
    if (!word) {
      error(node.at, fmt::format("{} is no estimand", node.shown()),
            fmt::format("an estimand is one of {}, such as {{mean: test/accuracy}}",
                        join(names_of_estimands())));
      return;
    }
    Estimand& estimand = claim_.estimand;
    estimand.kind = word->kind;
    const Node::Entry& quantity = *node.find(word->name);
    std::vector<std::string> keys = {word->name, "where", "average_over", "at"};
    keys.insert(keys.end(), word->keys.begin(), word->keys.end());
    const Node* sides = &node;
    std::string over = word->kind == Kind::ratio ? "over" : "minus";
    estimand.paired = word->kind == Kind::ratio || word->kind == Kind::difference;
    if (word->kind == Kind::slope && quantity.value.is_map()) {
      sides = &quantity.value;
      estimand.paired = true;
      check_keys(*sides, {"difference", "of", "minus"}, "the estimand's slope");
      if (const Node::Entry* inner = sides->find("difference")) {
        read_scalar(inner->value, inner->at);
      } else {
        error(quantity.at, "a slope is of a scalar, or of {difference: S, of: SEL, minus: SEL}");
      }
    } else {
      read_scalar(quantity.value, quantity.at);
    }
    check_keys(node, keys, fmt::format("the estimand {}", word->name));
    read_options(node);
    const std::size_t errors = diagnostics_.count();
    const Selector where = node.find("where")
                               ? read_selector(node.find("where")->value, study_, diagnostics_)
                               : Selector();
    Selector of = selector(*sides, "of", where), against;
    if (estimand.paired) against = selector(*sides, over.c_str(), where);
    if (estimand.paired && (!sides->find("of") || !sides->find(over)))
      error(node.at, fmt::format("a {} needs of: and {}:", word->name, over));
    if (diagnostics_.count() == errors) make_cells(node, of, against);
  }

  Selector selector(const Node& node, const char* key, const Selector& where) {
    const Node::Entry* given = node.find(key);
    return given ? both(read_selector(given->value, study_, diagnostics_), where) : where;
  }

  void read_options(const Node& node) {
    Estimand& estimand = claim_.estimand;
    if (const Node::Entry* at = node.find("at")) {
      if (at->value.text != "own_best")
        error(at->at, fmt::format("at={}; allowed is own_best, which takes on each side the row "
                                  "that select.by prefers",
                                  at->value.shown()));
      estimand.own_best = true;
      const Row& row = study_.reference();
      if (!row.binding.find("select.by"))
        error(at->at, fmt::format("at: own_best needs select.by, which rows of kind {} lack",
                                  row.kind().name));
      if (has_axis()) error(at->at, "at: own_best says nothing of a slope's levels");
    }
    if (const Node::Entry* average = node.find("average_over")) {
      if (average->value.is_scalar()) average_.push_back(average->value.text);
      for (const Node& item : average->value.items) average_.push_back(item.text);
      averages_ = true;
      if (estimand.own_best)
        error(average->at, "at: own_best and average_over both say which of several rows count");
    } else {
      average_.clear();
      averages_ = false;
    }
    estimand.above = estimand.kind == Kind::fraction ? number(node, "above") : std::nullopt;
    estimand.below = estimand.kind == Kind::fraction ? number(node, "below") : std::nullopt;
    if (estimand.kind == Kind::fraction && estimand.above.has_value() == estimand.below.has_value())
      error(node.at, "a fraction is of replicates above or below a value: {fraction: S, above: x}");
    if (const Node::Entry* scale = node.find("scale")) {
      using Scale = Estimand::Scale;
      if (scale->value.text == "linear") {
        estimand.scale = Scale::linear;
      } else if (scale->value.text == "log-log") {
        estimand.scale = Scale::log_log;
      } else if (scale->value.text == "linear-log") {
        estimand.scale = Scale::linear_log;
      } else {
        error(scale->at, fmt::format("scale={}; allowed are linear, log-log, linear-log",
                                     scale->value.shown()));
      }
    }
    if (has_axis()) {
      estimand.against = text(node, "against");
      if (estimand.against.empty())
        error(node.at, "a slope needs against: KEY, the key whose values are its axis");
    }
  }

  bool has_axis() const {
    return claim_.estimand.kind == Kind::slope || claim_.estimand.kind == Kind::spearman;
  }

  // Selects on one side; several rows need a reason to be one.
  std::optional<Side> side(const Selector& selector, const Node& node) {
    Selector is = selector;
    const bool sweep = !study_.varied.empty();
    if (is.selects_all() && !sweep && !has_axis()) is.reference = true;
    const std::vector<const Row*> rows = selected(is, study_);
    if (rows.empty()) {
      error(node.at, fmt::format("no row has {} at once", is.text));
      return std::nullopt;
    }
    return Side{rows};
  }

  bool one_or_averaged(const Side& side, const std::string& what, const Node& node) {
    if (side.rows.size() == 1 || claim_.estimand.own_best) return true;
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
    error(node.at,
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
    Estimand& estimand = claim_.estimand;
    const auto left = side(of, node);
    const auto right = estimand.paired ? side(against, node) : std::optional<Side>(Side());
    if (!left || !right) return;
    for (const Side* each : {&*left, &*right})
      for (const Row* row : each->rows)
        if (const std::string problem = scalar_problem(estimand.scalar, *row); !problem.empty())
          return error(scalar_at_, fmt::format("'{}' {}", estimand.scalar.text, problem));
    if (!has_axis()) {
      const std::string side_name = estimand.kind == Kind::ratio ? "over" : "minus";
      if (!one_or_averaged(*left, of.text, node)) return;
      if (estimand.paired && !one_or_averaged(*right, against.text, node)) return;
      if (estimand.paired && left->rows == right->rows)
        return error(node.at, fmt::format("of and {} select the same row, {}", side_name,
                                          names_of(left->rows)));
      estimand.cells.push_back({0, *left, *right});
      return check_solved(node);
    }
    for (const Row* row : left->rows) {
      const auto x = number_of(value_in(*row, estimand.against));
      if (!x)
        return error(node.at, fmt::format("against={}: the row {} has {}, which is no number",
                                          estimand.against, row->name,
                                          value_in(*row, estimand.against).empty()
                                              ? "none"
                                              : value_in(*row, estimand.against)));
      if (estimand.scale != Estimand::Scale::linear && !(*x > 0))
        return error(node.at, fmt::format("against={}: the row {} has {}, of which there is no log",
                                          estimand.against, row->name, *x));
      cell_at(*x).of.rows.push_back(row);
    }
    for (const Row* row : right->rows)
      if (const auto x = number_of(value_in(*row, estimand.against)))
        cell_at(*x).against.rows.push_back(row);
    for (const Cell& cell : estimand.cells) {
      if (cell.of.rows.empty() || (estimand.paired && cell.against.rows.empty()))
        return error(node.at, fmt::format("at {}={} there is a row on one side alone",
                                          estimand.against, cell.x));
      const std::string what = fmt::format("{}={}", estimand.against, cell.x);
      if (!one_or_averaged(cell.of, what, node)) return;
      if (estimand.paired && !one_or_averaged(cell.against, what, node)) return;
    }
    if (estimand.cells.size() < 2)
      error(node.at,
            fmt::format("a {} against {} needs rows at two values of it at least",
                        estimand.kind == Kind::slope ? "slope" : "spearman", estimand.against));
  }

  Cell& cell_at(double x) {
    std::vector<Cell>& cells = claim_.estimand.cells;
    const auto at = std::lower_bound(cells.begin(), cells.end(), x,
                                     [](const Cell& cell, double value) { return cell.x < value; });
    if (at != cells.end() && at->x == x) return *at;
    return *cells.insert(at, {x, {}, {}});
  }

  void check_solved(const Node& node) {
    const Estimand& estimand = claim_.estimand;
    if (estimand.kind != Kind::mean || !estimand.scalar.name.ends_with("accuracy")) return;
    for (const Row* row : estimand.cells.front().of.rows)
      if (const auto solved = row->kind_options().solved_at())
        return error(node.at,
                     fmt::format("seeds solve this task or fail at it, so that the mean of {} says "
                                 "nothing of them",
                                 estimand.scalar.text),
                     fmt::format("claim the share that solves it: {{fraction: {}, above: {}}}",
                                 estimand.scalar.text, *solved));
  }

  void read_region(const Node& node) {
    Region& region = claim_.expect;
    check_keys(node,
               {"above", "below", "between", "equal", "sign_only", "formula", "with", "tolerance"},
               "expect");
    int given = 0;
    for (const char* word : {"above", "below", "between", "equal", "formula"})
      given += node.find(word) != nullptr;
    if (given != 1) {
      error(node.at, fmt::format("expect={} must give one of above: x, below: x, between: [a, b], "
                                 "equal: x",
                                 node.shown()));
      return;
    }
    region.low = number(node, "above");
    region.high = number(node, "below");
    if (const auto x = number(node, "equal")) {
      region.low = region.high = x;
      region.equal = true;
    }
    if (const Node::Entry* between = node.find("between")) {
      const Node& list = between->value;
      const auto a = list.items.size() == 2 ? number_of(list.items[0]) : std::nullopt;
      const auto b = list.items.size() == 2 ? number_of(list.items[1]) : std::nullopt;
      if (!a || !b || !(*a < *b))
        error(between->at,
              fmt::format("between={} must be two numbers, the lower one first", list.shown()));
      region.low = a;
      region.high = b;
    }
    if (const Node::Entry* sign = node.find("sign_only"))
      region.sign_only = sign->value.text == "true";
    if (node.find("formula")) read_formula(node);
  }

  void read_formula(const Node& node) {
    Region& region = claim_.expect;
    region.formula = text(node, "formula");
    const auto tolerance = number(node, "tolerance");
    if (!tolerance || !(*tolerance > 0)) {
      error(node.at, "a formula needs tolerance: t, a number above 0");
      return;
    }
    region.tolerance = *tolerance;
    std::map<std::string, double> arguments;
    const Row* row =
        claim_.estimand.cells.empty() ? nullptr : claim_.estimand.cells.front().of.rows.front();
    if (const Node::Entry* with = node.find("with"))
      for (const Node::Entry& entry : with->value.entries) {
        const auto value = number_of(entry.value);
        const auto of_row = row ? number_of(value_in(*row, entry.value.text)) : std::nullopt;
        if (!value && !of_row)
          error(entry.at, fmt::format("{}={} is neither a number nor a key whose value is one",
                                      entry.key, entry.value.shown()));
        arguments[entry.key] = value ? *value : of_row.value_or(0);
      }
    std::string why;
    const auto expected = formula_value(region.formula, arguments, why);
    if (!expected) return error(node.at, fmt::format("formula={} {}", region.formula, why));
    region.low = *expected - region.tolerance;
    region.high = *expected + region.tolerance;
  }

  void check_region(const Origin& at) {
    const Region& region = claim_.expect;
    const Estimand& estimand = claim_.estimand;
    if (claim_.kind() != Claim::Kind::trained) return;
    const bool has_sign = estimand.kind == Kind::difference || estimand.kind == Kind::slope ||
                          estimand.kind == Kind::mean || estimand.kind == Kind::median;
    const bool at_zero = (region.low && !region.high && *region.low == 0) ||
                         (region.high && !region.low && *region.high == 0);
    if (has_sign && at_zero && !region.sign_only)
      error(at, "a region that ends at 0 claims a sign alone, which enough seeds always settle",
            "give the smallest effect of interest (above: 0.01), or sign_only: true");
    if (estimand.kind == Kind::fraction) check_fraction(at);
  }

  // What this many replicates cannot decide whatever they say.
  void check_fraction(const Origin& at) {
    const Region& region = claim_.expect;
    const auto n = static_cast<Index>(study_.reference().options->seeds().size());
    const auto decides = [&](Index m) {
      const Interval all = fraction_interval(m, m), none = fraction_interval(0, m);
      return region.inside(all.low, all.high) || region.inside(none.low, none.high);
    };
    if (!region.low || region.high || decides(n)) return;
    Index needed = n;
    constexpr Index kMost = 10'000;
    while (needed < kMost && !decides(needed)) ++needed;
    diagnostics_.note({.at = at,
                       .message = fmt::format(
                           "{} of {} gives at least {:.3f}, so that {} cannot be supported{}", n, n,
                           fraction_interval(n, n).low, region.words(),
                           needed < kMost ? fmt::format("; {} of {} would", needed, needed) : "")});
  }

  const Study& study_;
  Diagnostics& diagnostics_;
  Claim claim_;
  Origin scalar_at_;
  std::vector<std::string> average_;
  bool averages_ = false;
};

}  // namespace

std::vector<Claim> read_claims(const Node& list, const Study& study, Diagnostics& diagnostics) {
  std::vector<Claim> claims;
  if (list.kind == Node::Kind::null) return claims;
  if (list.kind != Node::Kind::list) {
    diagnostics.error(
        {.at = list.at, .message = "claims is a list of maps, each with id, estimand and expect"});
    return claims;
  }
  Reader reader(study, diagnostics);
  std::set<std::string> ids;
  for (const Node& item : list.items) {
    Claim claim = reader.claim(item);
    if (!claim.id.empty() && !ids.insert(claim.id).second)
      diagnostics.error(
          {.at = item.at, .message = fmt::format("two claims have the id {}", claim.id)});
    claims.push_back(std::move(claim));
  }
  return claims;
}

}  // namespace attune
