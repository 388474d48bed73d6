#include <cmath>
#include <set>

#include "base/text.h"
#include "stats/formulas.h"
#include "stats/replicates.h"
#include "study/claim.h"
#include "study/estimand_read.h"
#include "study/points.h"

namespace attune {
namespace {

using Kind = Estimand::Kind;

class Reader {
 public:
  Reader(const Study& study, Diagnostics& diagnostics) : study_(study), reader_(diagnostics) {}

  Claim claim(const Node& item) {
    claim_ = Claim();
    claim_.at = item.at;
    if (!item.is_map()) {
      reader_.error(item.at, fmt::format("a claim is a map with id, estimand and expect, not {}",
                                         item.shown()));
      return claim_;
    }
    reader_.check_keys(item,
                       {"id", "says", "source", "estimand", "expect", "known", "if_failed", "over"},
                       "a claim");
    claim_.hash = hash_of_claim(item);
    claim_.id = reader_.text(item, "id");
    claim_.says = reader_.text(item, "says");
    claim_.source = reader_.text(item, "source");
    if (claim_.id.empty())
      reader_.error(item.at, "a claim must have an id, a short word of its own");
    if (item.find("known")) claim_.known = reader_.text(item, "known");
    if (claim_.known != "supported" && claim_.known != "contradicted" &&
        claim_.known != "undecided")
      reader_.error(
          item.find("known")->at,
          fmt::format("known={} is no verdict; allowed are supported, contradicted, undecided",
                      claim_.known));
    read_failed(item);
    read_over(item);
    if (const Node::Entry* estimand = item.find("estimand")) {
      claim_.estimand_text = flow_text(estimand->value);
      claim_.estimand = read_estimand(estimand->value, study_, reader_);
    } else {
      reader_.error(item.at, fmt::format("the claim {} has no estimand: {{mean: test/accuracy}}, "
                                         "{{difference: test/loss, of: reference, minus: {{…}}}}",
                                         claim_.id));
    }
    if (const Node::Entry* expect = item.find("expect")) {
      claim_.expect_text = flow_text(expect->value);
      read_region(expect->value);
      if (reader_.diagnostics().ok()) check_region(expect->at);
    } else {
      reader_.error(item.at,
                    fmt::format("the claim {} expects nothing: expect: {{above: 0.02}}, {{below: "
                                "x}}, {{between: [a, b]}} or {{equal: x}}",
                                claim_.id));
    }
    return claim_;
  }

 private:
  void read_failed(const Node& item) {
    const Node::Entry* failed = item.find("if_failed");
    if (!failed) return;
    const auto value =
        failed->value.is_map() ? reader_.number(failed->value, "value") : std::nullopt;
    if (value && failed->value.entries.size() == 1) {
      claim_.if_failed = Claim::Failed::value;
      claim_.failed_value = *value;
    } else if (failed->value.text == "drop") {
      claim_.if_failed = Claim::Failed::drop;
    } else if (failed->value.text != "undecided") {
      reader_.error(failed->at,
                    fmt::format("if_failed={}; allowed are undecided, drop and {{value: x}}",
                                failed->value.shown()));
    }
  }

  void read_over(const Node& item) {
    const Node::Entry* over = item.find("over");
    if (!over) return;
    const std::vector<std::string> given = NodeReader::words(over->value);
    const std::set<std::string> words(given.begin(), given.end());
    if (words == std::set<std::string>{"seeds"}) {
      claim_.over = Claim::Over::seeds;
    } else if (words == std::set<std::string>{"groups", "seeds", "training_sets"}) {
      claim_.over = Claim::Over::training_sets;
      if (study_.reference().kind_options().folds().count < 2)
        reader_.error(over->at,
                      "over: [seeds, groups, training_sets] needs data with folds "
                      "(data.split: {scheme: kfold})");
    } else if (words != std::set<std::string>{"groups", "seeds"}) {
      reader_.error(over->at,
                    fmt::format("over={}; allowed are seeds, [seeds, groups] and [seeds, groups, "
                                "training_sets]",
                                over->value.shown()));
    }
  }

  void read_region(const Node& node) {
    Region& region = claim_.expect;
    reader_.check_keys(
        node, {"above", "below", "between", "equal", "sign_only", "formula", "with", "tolerance"},
        "expect");
    int given = 0;
    for (const char* word : {"above", "below", "between", "equal", "formula"})
      given += node.find(word) != nullptr;
    if (given != 1) {
      reader_.error(node.at,
                    fmt::format("expect={} must give one of above: x, below: x, between: [a, b], "
                                "equal: x",
                                node.shown()));
      return;
    }
    region.low = reader_.number(node, "above");
    region.high = reader_.number(node, "below");
    if (const auto x = reader_.number(node, "equal")) {
      region.low = region.high = x;
      region.equal = true;
    }
    if (const Node::Entry* between = node.find("between")) {
      const Node& list = between->value;
      const auto a = list.items.size() == 2 ? number_of(list.items[0]) : std::nullopt;
      const auto b = list.items.size() == 2 ? number_of(list.items[1]) : std::nullopt;
      if (!a || !b || !(*a < *b))
        reader_.error(
            between->at,
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
    region.formula = reader_.text(node, "formula");
    const auto tolerance = reader_.number(node, "tolerance");
    if (!tolerance || !(*tolerance > 0)) {
      reader_.error(node.at, "a formula needs tolerance: t, a number above 0");
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
          reader_.error(entry.at,
                        fmt::format("{}={} is neither a number nor a key whose value is one",
                                    entry.key, entry.value.shown()));
        arguments[entry.key] = value ? *value : of_row.value_or(0);
      }
    std::string why;
    const auto expected = formula_value(region.formula, arguments, why);
    if (!expected) return reader_.error(node.at, fmt::format("formula={} {}", region.formula, why));
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
      reader_.error(at,
                    "a region that ends at 0 claims a sign alone, which enough seeds always settle",
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
    reader_.diagnostics().note(
        {.at = at,
         .message =
             fmt::format("{} of {} gives at least {:.3f}, so that {} cannot be supported{}", n, n,
                         fraction_interval(n, n).low, region.words(),
                         needed < kMost ? fmt::format("; {} of {} would", needed, needed) : "")});
  }

  const Study& study_;
  NodeReader reader_;
  Claim claim_;
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
