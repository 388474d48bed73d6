#include "study/row.h"

#include <algorithm>

#include "base/quantity.h"
#include "base/text.h"

namespace attune {

StudyOptions::StudyOptions(const Kind& kind) : kind_(&kind), options_(kind.options()) {}

void Repeats::fields(FieldList& f) {
  f.integer("count", count, {1, 10'000}, Role::study, "how often each trial is measured");
  f.choice("order", order, {{"interleaved", Order::interleaved}, {"blocked", Order::blocked}},
           Role::study, "all rows once, then all again; or all repeats of a row together");
}

std::vector<Index> StudyOptions::seeds() const {
  if (seeds_) return *seeds_;
  return repeats ? std::vector<Index>{0} : std::vector<Index>{0, 1, 2};
}

void StudyOptions::fields(FieldList& f) {
  f.text("name", name, Role::study, "the study's name, and its folder's");
  f.require("name");
  f.text("doc", doc, Role::study, "what it asks");
  const std::string kind_name = kind_->name;
  f.custom(
      "kind", "one of `attune list kinds`",
      [kind_name](const Literal& l) -> std::string {
        return !l.is_list && l.items.size() == 1 && l.items[0] == kind_name ? "" : "is no kind";
      },
      [kind_name]() -> FieldValue { return kind_name; }, Role::result, "what a trial does");
  f.require("kind");
  options_->fields(f);
  f.custom(
      "seeds", kSeedsForm,
      [this](const Literal& l) {
        std::vector<Index> read;
        std::string wrong = parse_seeds(l, read);
        if (wrong.empty()) seeds_ = std::move(read);
        return wrong;
      },
      [this]() -> FieldValue { return seeds(); }, Role::study,
      "replicates of every row, a trial each");
  f.texts("baselines", baselines, Role::study,
          "rows of kind baseline on the same data, splits and seeds, each by its baseline.name");
  f.optional_group("repeats", repeats, "replicates of a measurement (time, memory)");
  f.rule([this]() -> std::optional<Complaint> {
    constexpr std::size_t kLongest = 200;  // bytes; file systems allow 255
    const bool printable = std::none_of(name.begin(), name.end(),
                                        [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
    const bool plain = name.find('/') == std::string::npos && !name.starts_with('.');
    if (plain && printable && !name.empty() && name.size() <= kLongest) return std::nullopt;
    return Complaint{
        "name",
        fmt::format("name={:.60} cannot be a folder's name", to_text(FieldValue(name))),
        fmt::format("1 to {} bytes, no control characters, no '/', no '.' in front", kLongest),
        {}};
  });
}

std::vector<ConfigLeaf> Row::config() const {
  std::vector<ConfigLeaf> config;
  for (const BoundLeaf& bound : binding.leaves) config.push_back(bound.leaf);
  return config;
}

namespace {

const Kind* find_kind(std::span<const Kind> kinds, std::string_view name) {
  for (const Kind& kind : kinds)
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace

const Kind& kind_of(const Document& document, std::span<const Kind> kinds,
                    Diagnostics& diagnostics) {
  const std::string name =
      document.scalar("kind").value_or(kinds.empty() ? "" : kinds.front().name);
  const Kind* kind = find_kind(kinds, name);
  if (!kind) {
    std::vector<std::string> names;
    for (const Kind& k : kinds) names.push_back(k.name);
    Diagnostic wrong;
    if (const Node* given = document.find("kind")) wrong.at = given->at;
    wrong.message = fmt::format("kind={} is no kind of trial", name);
    wrong.hints = {"kinds are: " + join(names)};
    diagnostics.error(wrong);
    diagnostics.raise();
  }
  return *kind;
}

Row bind_row(const std::string& name, const Document& document, const Kind& kind,
             Diagnostics& diagnostics) {
  Row row;
  row.name = name;
  row.options = std::make_unique<StudyOptions>(kind);
  row.fields = std::make_unique<FieldList>();
  row.options->fields(*row.fields);
  row.binding = bind(document, *row.fields, diagnostics);
  return row;
}

namespace {

// Keys of the kind before anything is bound.
KeyIndex keys_of(const Kind& kind) {
  StudyOptions options(kind);
  FieldList fields;
  options.fields(fields);
  return KeyIndex(fields);
}

bool check_baselines(const Row& reference, const std::vector<std::string>& known,
                     Diagnostics& diagnostics) {
  const std::vector<std::string>& names = reference.options->baselines;
  const BoundLeaf* given = reference.binding.find("baselines");
  std::vector<std::string> wrong;
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(known.begin(), known.end(), *name) == known.end()) {
      const auto meant = did_you_mean(*name, known);
      wrong.push_back(fmt::format("'{}', which is no baseline{}", *name,
                                  meant ? fmt::format("; did you mean '{}'?", *meant) : ""));
    } else if (std::find(names.begin(), name, *name) != name) {
      wrong.push_back(fmt::format("'{}' twice", *name));
    }
  }
  for (const std::string& what : wrong)
    diagnostics.error({.at = given ? given->at : Origin(),
                       .message = "baselines has " + what,
                       .hints = {"baselines are: " + join(known)}});
  return wrong.empty();
}

}  // namespace

std::vector<Row> baseline_rows(const Row& reference, std::span<const Kind> kinds,
                               Diagnostics& diagnostics) {
  std::vector<Row> rows;
  if (reference.options->baselines.empty()) return rows;
  const Kind* kind = find_kind(kinds, "baseline");
  ATTUNE_CHECK(kind, ConfigError, "baselines: this program has no trials of kind baseline");
  const KeyIndex keys = keys_of(*kind);
  if (!check_baselines(reference, keys.find("baseline.name").front()->choices, diagnostics))
    return rows;
  for (const std::string& name : reference.options->baselines) {
    std::vector<ConfigLeaf> config = {{"kind", kind->name}};
    for (const ConfigLeaf& leaf : reference.config()) {
      const bool shared = leaf.key.starts_with("data.") || leaf.key == "name" ||
                          leaf.key == "seeds" || leaf.key == "metrics";
      if (shared && !keys.find(leaf.key).empty()) config.push_back(leaf);
    }
    config.push_back({"baseline.name", name});
    LoadOptions load;
    load.path = "baseline " + name;
    load.text = dump(config);
    Row row = bind_row(name, compose(load, diagnostics), *kind, diagnostics);
    // Where the values come from is where the reference has them from.
    const BoundLeaf* named = reference.binding.find("baselines");
    for (BoundLeaf& bound : row.binding.leaves) {
      const BoundLeaf* from =
          bound.leaf.key == "baseline.name" ? named : reference.binding.find(bound.leaf.key);
      bound.at = from ? from->at : Origin();
      bound.was = from ? from->was : std::vector<Was>();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace attune
