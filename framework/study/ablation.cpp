#include "study/ablation.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/text.h"
#include "study/study_file.h"

namespace attune {
namespace {

constexpr std::string_view kSchema = "attune/ablation@1";
// Keys that are the same for all rows.
constexpr std::array<std::string_view, 4> kOfAll = {"name", "doc", "seeds", "metrics"};

struct AblationOptions {
  enum class Design { leave_one_out, add_one_in, factorial };
  Design design = Design::leave_one_out;

  void fields(FieldList& f) {
    f.choice("design", design,
             {{"leave_one_out", Design::leave_one_out},
              {"add_one_in", Design::add_one_in},
              {"factorial", Design::factorial}},
             Role::study, "which rows stand against the reference");
  }
};

// One level of a factor, and what it changes; or several, of a combination.
struct Level {
  std::map<std::string, std::string> of;  // factor → level
  std::vector<const Node::Entry*> changes;

  std::string name() const {
    std::vector<std::string> parts;
    for (const std::string& factor : order) parts.push_back(factor + "." + of.at(factor));
    return join(parts, ",");
  }
  std::vector<std::string> order;  // of the factors
};
using Factor = std::vector<Level>;

class Ablation {
 public:
  Ablation(const LoadOptions& load, std::span<const Kind> kinds)
      : kinds_(kinds),
        file_(load, kSchema, {"design", "factors", "from", "reference"}, diagnostics_) {}

  Study study() {
    FieldList fields;
    options_.fields(fields);
    file_.bind_own(fields, diagnostics_);
    check_keys();
    const std::vector<Factor> factors = read_factors();
    if (is_factorial()) check_apart(factors);
    Document base = file_.base(diagnostics_);
    diagnostics_.raise();
    if (const Node::Entry* from = file_.find("from")) lay(from->value.entries, base);

    Study study;
    study.said = file_.said();
    std::vector<Level> levels = levels_of(factors);
    const std::optional<Level> chosen = take_reference(levels);
    diagnostics_.raise();
    study.rows.push_back(row_of(kReferenceRow, base));
    diagnostics_.raise();  // what is wrong with the base is wrong in every row
    study.text = file_.text(study.reference());
    if (chosen) {
      add_row(*chosen, base, study);
      study.rows.erase(study.rows.begin());
      study.rows.front().name = kReferenceRow;
    }
    for (const Level& level : levels) add_row(level, base, study);
    diagnostics_.raise();
    study.notes = diagnostics_.notes();
    return study;
  }

 private:
  bool is_factorial() const { return options_.design == AblationOptions::Design::factorial; }

  void check_keys() {
    if (!file_.find("factors"))
      diagnostics_.error({.message = "factors must be set",
                          .hints = {"factors: {norm: {post: {model.norm: post}}}"}});
    const bool adds = options_.design == AblationOptions::Design::add_one_in;
    const Node::Entry* from = file_.find("from");
    if (adds && !from)
      diagnostics_.error({.message = "design: add_one_in needs from: {dotted key: value}, which "
                                     "takes out of the base what the levels add"});
    if (from && !adds)
      refuse(diagnostics_, *from, "from says what the levels of design: add_one_in add to");
    if (from && (!from->value.is_map() || from->value.entries.empty()))
      refuse(diagnostics_, *from, "from is a map of dotted keys to values: {model.norm: none}");
    const Node::Entry* reference = file_.find("reference");
    if (reference && !is_factorial())
      refuse(diagnostics_, *reference,
             "reference says which combination of design: factorial is the reference; of other "
             "designs it is the base");
  }

  std::vector<Factor> read_factors() {
    std::vector<Factor> factors;
    const Node::Entry* all = file_.find("factors");
    if (!all) return factors;
    if (!all->value.is_map() || all->value.entries.empty())
      refuse(diagnostics_, *all,
             "factors is a map of factors: factors: {norm: {post: {model.norm: post}}}");
    for (const Node::Entry& factor : all->value.entries) {
      Factor& levels = factors.emplace_back();
      if (!factor.value.is_map() || factor.value.entries.empty())
        refuse(diagnostics_, factor,
               fmt::format("the factor '{0}' has no levels: {0}: {{level: {{key: value}}}}",
                           factor.key));
      for (const Node::Entry& level : factor.value.entries) {
        Level& read = levels.emplace_back();
        read.of[factor.key] = level.key;
        read.order = {factor.key};
        if (!level.value.is_map() || level.value.entries.empty())
          refuse(diagnostics_, level,
                 fmt::format("the level '{}' changes nothing: {}: {{key: value}}", read.name(),
                             level.key));
        for (const Node::Entry& change : level.value.entries) {
          if (std::find(kOfAll.begin(), kOfAll.end(), change.key) != kOfAll.end())
            refuse(diagnostics_, change, fmt::format("{} is the same for all rows", change.key));
          read.changes.push_back(&change);
        }
      }
    }
    return factors;
  }

  // Of two factors of a combination that set one key, the second would undo the first.
  void check_apart(const std::vector<Factor>& factors) {
    for (std::size_t i = 0; i < factors.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        for (const Level& later : factors[i])
          for (const Level& earlier : factors[j])
            for (const Node::Entry* a : later.changes)
              for (const Node::Entry* b : earlier.changes)
                if (is_within(a->key, b->key) || is_within(b->key, a->key))
                  return refuse(diagnostics_, *a,
                                fmt::format("the levels '{}' and '{}' both set {}, and a "
                                            "factorial design combines them",
                                            earlier.name(), later.name(), a->key),
                                "let factors set keys of their own, or set design: leave_one_out");
  }

  // The levels that become rows: of a factorial design combinations.
  std::vector<Level> levels_of(const std::vector<Factor>& factors) const {
    std::vector<Level> rows;
    if (!is_factorial()) {
      for (const Factor& factor : factors) rows.insert(rows.end(), factor.begin(), factor.end());
      return rows;
    }
    rows.emplace_back();
    for (const Factor& factor : factors) {
      std::vector<Level> longer;
      for (const Level& row : rows) {
        for (const Level& level : factor) {
          Level& both = longer.emplace_back(row);
          both.of.insert(level.of.begin(), level.of.end());
          both.order.insert(both.order.end(), level.order.begin(), level.order.end());
          both.changes.insert(both.changes.end(), level.changes.begin(), level.changes.end());
        }
      }
      rows = std::move(longer);
    }
    return rows;
  }

  // Takes the combination that `reference` names out of the levels.
  std::optional<Level> take_reference(std::vector<Level>& levels) {
    const Node::Entry* reference = file_.find("reference");
    if (!reference) return std::nullopt;
    std::map<std::string, std::string> named;
    for (const Node::Entry& entry : reference->value.entries) named[entry.key] = entry.value.text;
    const auto found = std::find_if(levels.begin(), levels.end(),
                                    [&](const Level& level) { return level.of == named; });
    if (found == levels.end()) {
      refuse(diagnostics_, *reference,
             fmt::format("reference={} is no combination: it must name a level of each factor",
                         reference->value.shown()));
      return std::nullopt;
    }
    Level chosen = std::move(*found);
    levels.erase(found);
    return chosen;
  }

  Row row_of(const std::string& name, const Document& document) {
    return bind_row(name, document, kind_of(document, kinds_, diagnostics_), diagnostics_);
  }

  template <class Entries>
  void lay(const Entries& entries, Document& document) {
    std::vector<Change> changes;
    for (const auto& each : entries) {
      const Node::Entry* entry = nullptr;
      if constexpr (std::is_pointer_v<std::decay_t<decltype(each)>>) {
        entry = each;
      } else {
        entry = &each;
      }
      changes.push_back({entry->key, &entry->value, entry->at});
    }
    lay_over(document, changes, diagnostics_);
  }

  void add_row(const Level& level, const Document& base, Study& study) {
    Document document = base;
    lay(level.changes, document);
    const bool sound = diagnostics_.ok();
    Row& row = study.rows.emplace_back(row_of(level.name(), document));
    row.factors = level.of;
    if (sound != diagnostics_.ok()) return;  // a key that there is not, say
    // Of a kind that the command line chose instead, a key is dropped: the row were the reference.
    for (const Node::Entry* change : level.changes)
      if (std::none_of(
              row.binding.leaves.begin(), row.binding.leaves.end(),
              [&](const BoundLeaf& bound) { return is_within(bound.leaf.key, change->key); }))
        refuse(diagnostics_, *change,
               fmt::format("the level '{}' sets {}, which this study's kinds of model and data do "
                           "not have: it would change nothing",
                           row.name, change->key));
  }

  std::span<const Kind> kinds_;
  Diagnostics diagnostics_;
  StudyFile file_;
  AblationOptions options_;
};

}  // namespace

Study load_ablation(const LoadOptions& load, std::span<const Kind> kinds) {
  return Ablation(load, kinds).study();
}

}  // namespace attune
