#include "study/ablation.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>

#include "base/text.h"

namespace attune {
namespace {

constexpr std::string_view kSchema = "attune/ablation@1";
// Keys that a row has from the ablation's file, where that has them.
constexpr std::array<std::string_view, 4> kOfRows = {"name", "doc", "seeds", "metrics"};

bool holds(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Whether a key is `other`, or one below it.
bool is_within(std::string_view key, std::string_view other) {
  return key.starts_with(other) && (key.size() == other.size() || key[other.size()] == '.');
}

// The overrides of the study's own keys, and those of its base.
struct Overrides {
  std::vector<std::string> study, base;

  explicit Overrides(const std::vector<std::string>& all) {
    constexpr std::string_view kStudy = "study.";
    for (const std::string& each : all) {
      if (each.starts_with(kStudy)) {
        study.push_back(each.substr(kStudy.size()));
      } else {
        const bool own = holds(kOfRows, std::string_view(each).substr(0, each.find('=')));
        (own ? study : base).push_back(each);
      }
    }
  }
};

// One level of a factor, and what it changes.
struct Level {
  std::string name;  // "layer.gat"
  std::vector<const Node::Entry*> changes;
};
using Factor = std::vector<Level>;

class Ablation {
 public:
  Ablation(const LoadOptions& load, std::span<const Kind> kinds)
      : load_(load), kinds_(kinds), overrides_(load.overrides) {}

  Study study() {
    LoadOptions own = load_;
    own.overrides = overrides_.study;
    file_ = compose(own, diagnostics_);
    if (!file_.usable) diagnostics_.raise();
    check_keys();
    const std::vector<Factor> factors = read_factors();
    if (factorial_) check_apart(factors);
    Document base = read_base();
    diagnostics_.raise();

    Study study;
    study.rows.push_back(row_of(kReferenceRow, base));
    diagnostics_.raise();  // what is wrong with the base is wrong in every row
    for (const Level& level : levels_of(factors)) add_row(level, base, study);
    diagnostics_.raise();
    study.notes = diagnostics_.notes();
    study.text = text_of(study.reference());
    return study;
  }

 private:
  void refuse(const Node::Entry& entry, std::string message, std::string hint = {}) {
    Diagnostic error{.at = entry.at, .message = std::move(message)};
    if (!hint.empty()) error.hints = {std::move(hint)};
    diagnostics_.error(std::move(error));
  }

  void check_keys() {
    std::vector<std::string> known = {"schema", "base", "design", "factors"};
    known.insert(known.end(), kOfRows.begin(), kOfRows.end());
    for (const Node::Entry& entry : file_.root.entries) {
      if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
      const auto meant = did_you_mean(entry.key, known);
      refuse(entry,
             fmt::format("unknown key '{}' of an ablation{}", entry.key,
                         meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
             "its keys are: " + join(known) + "; those of its rows stand under base");
    }
    for (const char* needed : {"base", "factors", "name"})
      if (!file_.root.find(needed))
        diagnostics_.error({.at = Origin::of(file_.root.at.source),
                            .message = fmt::format("{} must be set", needed)});
    const Node::Entry* design = file_.root.find("design");
    if (!design) return;
    factorial_ = design->value.text == "factorial";
    if (!factorial_ && design->value.text != "leave_one_out")
      refuse(*design, fmt::format("design={} is none of the choices", design->value.shown()),
             "valid values: leave_one_out, factorial");
  }

  std::vector<Factor> read_factors() {
    std::vector<Factor> factors;
    const Node::Entry* all = file_.root.find("factors");
    if (!all) return factors;
    if (!all->value.is_map() || all->value.entries.empty())
      refuse(*all, "factors is a map of factors: factors: {norm: {post: {model.norm: post}}}");
    for (const Node::Entry& factor : all->value.entries) {
      Factor& levels = factors.emplace_back();
      if (!factor.value.is_map() || factor.value.entries.empty())
        refuse(factor, fmt::format("the factor '{0}' has no levels: {0}: {{level: {{key: value}}}}",
                                   factor.key));
      for (const Node::Entry& level : factor.value.entries) {
        Level& read = levels.emplace_back();
        read.name = factor.key + "." + level.key;
        if (!level.value.is_map() || level.value.entries.empty())
          refuse(level, fmt::format("the level '{}' changes nothing: {}: {{key: value}}", read.name,
                                    level.key));
        for (const Node::Entry& change : level.value.entries) {
          if (holds(kOfRows, change.key))
            refuse(change, fmt::format("{} is the same for all rows", change.key));
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
                  return refuse(*a,
                                fmt::format("the levels '{}' and '{}' both set {}, and a "
                                            "factorial design combines them",
                                            earlier.name, later.name, a->key),
                                "let factors set keys of their own, or set design: leave_one_out");
  }

  Document read_base() {
    const Node::Entry* base = file_.root.find("base");
    Document document;
    if (!base) return document;
    LoadOptions load = load_;
    load.overrides = overrides_.base;
    if (base->value.is_map()) {
      load.body = base->value;
    } else {
      load.path = (std::filesystem::path(base->at.source->folder) / base->value.text).string();
      load.text.reset();
    }
    document = compose(load, diagnostics_);
    if (!document.usable) return document;
    std::erase_if(document.root.entries, [](const Node::Entry& entry) {
      constexpr std::array<std::string_view, 5> kNotTaken = {"schema", "name", "doc", "baselines",
                                                             "claims"};
      return holds(kNotTaken, entry.key);
    });
    for (const std::string_view key : kOfRows)
      if (const Node::Entry* own = file_.root.find(key))
        set_value(document, key, own->value, own->at, diagnostics_);
    return document;
  }

  Row row_of(const std::string& name, const Document& document) {
    return bind_row(name, document, kind_of(document, kinds_, diagnostics_), diagnostics_);
  }

  // The levels that become rows: of a factorial design combinations.
  std::vector<Level> levels_of(const std::vector<Factor>& factors) const {
    std::vector<Level> rows;
    if (!factorial_) {
      for (const Factor& factor : factors) rows.insert(rows.end(), factor.begin(), factor.end());
      return rows;
    }
    rows.emplace_back();
    for (const Factor& factor : factors) {
      std::vector<Level> longer;
      for (const Level& row : rows) {
        for (const Level& level : factor) {
          Level& both = longer.emplace_back(row);
          both.name += (row.name.empty() ? "" : ",") + level.name;
          both.changes.insert(both.changes.end(), level.changes.begin(), level.changes.end());
        }
      }
      rows = std::move(longer);
    }
    return rows;
  }

  void add_row(const Level& level, const Document& base, Study& study) {
    Document document = base;
    // A kind drops the keys of the one before it, not those of its own.
    for (const bool kinds : {true, false})
      for (const Node::Entry* change : level.changes)
        if (change->key.ends_with(".kind") == kinds)
          set_value(document, change->key, change->value, change->at, diagnostics_);
    const bool sound = diagnostics_.ok();
    const Row& row = study.rows.emplace_back(row_of(level.name, document));
    if (sound != diagnostics_.ok()) return;  // a key that there is not, say
    // Of a kind that the command line chose instead, a key is dropped: the row were the reference.
    for (const Node::Entry* change : level.changes)
      if (std::none_of(
              row.binding.leaves.begin(), row.binding.leaves.end(),
              [&](const BoundLeaf& bound) { return is_within(bound.leaf.key, change->key); }))
        refuse(*change,
               fmt::format("the level '{}' sets {}, which this study's kinds of model and data do "
                           "not have: it would change nothing",
                           level.name, change->key));
  }

  // The study as it is frozen: the base resolved, the factors as they were written.
  std::string text_of(const Row& reference) const {
    std::string own = fmt::format("schema: {}\n", kSchema), base = "base:\n";
    std::istringstream resolved(dump(*reference.fields));
    bool of_rows = false, taken = true;
    for (std::string line; std::getline(resolved, line);) {
      if (!line.starts_with(' ')) {  // else it belongs to the key above it
        const std::string key = line.substr(0, line.find(':'));
        of_rows = holds(kOfRows, key);
        taken = key != "schema" && key != "baselines";
      }
      if (taken) (of_rows ? own : base) += (of_rows ? "" : "  ") + line + "\n";
    }
    return own + base +
           fmt::format("design: {}\nfactors: {}\n", factorial_ ? "factorial" : "leave_one_out",
                       flow_text(file_.root.find("factors")->value));
  }

  const LoadOptions& load_;
  std::span<const Kind> kinds_;
  Overrides overrides_;
  Diagnostics diagnostics_;
  Document file_;
  bool factorial_ = false;
};

}  // namespace

bool is_ablation(const LoadOptions& load) {
  LoadOptions own = load;
  own.overrides.clear();
  Diagnostics ignored;
  const Document document = compose(own, ignored);
  return document.usable && document.scalar("schema") == kSchema;
}

Study load_ablation(const LoadOptions& load, std::span<const Kind> kinds) {
  return Ablation(load, kinds).study();
}

}  // namespace attune
