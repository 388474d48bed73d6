#include "study/study_config.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/quantity.h"
#include "base/text.h"

namespace attune {

StudyOptions::StudyOptions(const Kind& kind) : kind_(&kind), options_(kind.options()) {}

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
  options_->fields(f);
  f.custom(
      "seeds", kSeedsForm, [this](const Literal& l) { return parse_seeds(l, seeds); },
      [this]() -> FieldValue { return seeds; }, Role::study,
      "replicates of every row, a trial each");
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

namespace {

// A file of configs/model/ is no study, and says neither schema nor name.
void refuse_group_file(const Document& document, const LoadOptions& load,
                       std::span<const Kind> kinds, Diagnostics& diagnostics) {
  if (document.find("schema") || document.find("name")) return;
  const std::filesystem::path path(load.path);
  const std::string group = std::filesystem::absolute(path).parent_path().filename();
  const bool known = std::any_of(kinds.begin(), kinds.end(), [&group](const Kind& kind) {
    StudyOptions options(kind);
    FieldList fields;
    options.fields(fields);
    return !KeyIndex(fields).children(group).empty();
  });
  if (!known) return;
  const std::string name = path.stem();
  diagnostics.error({.at = Origin::of(document.root.at.source),
                     .message = fmt::format("is no study: it has no schema and no name, and its "
                                            "folder says that it holds the keys of '{}'",
                                            group),
                     .hints = {fmt::format("a study takes it by defaults: [{0}: {1}], or {0}={1} "
                                           "on the command line; check that study",
                                           group, name)}});
  diagnostics.raise();
}

}  // namespace

Study load_study(const LoadOptions& load, std::span<const Kind> kinds) {
  Diagnostics diagnostics;
  const Document document = compose(load, diagnostics);
  if (document.usable) refuse_group_file(document, load, kinds, diagnostics);
  // Keys say nothing while it is unknown what they are keys of.
  if (document.usable && !check_schema(document, diagnostics)) diagnostics.raise();
  if (!document.usable) diagnostics.raise();
  const std::string name = document.scalar("kind").value_or("train");
  const auto* kind = std::find_if(kinds.data(), kinds.data() + kinds.size(),
                                  [&](const Kind& k) { return k.name == name; });
  if (kind == kinds.data() + kinds.size()) {
    std::vector<std::string> names;
    for (const Kind& k : kinds) names.push_back(k.name);
    Diagnostic wrong;
    if (const Node* given = document.find("kind")) wrong.at = given->at;
    wrong.message = fmt::format("kind={} is no kind of trial", name);
    wrong.hints = {"kinds are: " + join(names)};
    diagnostics.error(wrong);
    diagnostics.raise();
  }
  Study study;
  study.options = std::make_unique<StudyOptions>(*kind);
  study.fields = std::make_unique<FieldList>();
  study.options->fields(*study.fields);
  study.binding = bind(document, *study.fields, diagnostics);
  diagnostics.raise();
  study.notes = diagnostics.notes();
  return study;
}

std::vector<Trial> plan_trials(const Study& study) {
  const StudyOptions& options = *study.options;
  Trial trial;
  trial.study = options.name;
  trial.kind = options.kind().name;
  for (const BoundLeaf& bound : study.binding.leaves) {
    trial.config.push_back(bound.leaf);
    const auto* path = std::get_if<std::string>(&bound.leaf.value);
    if (bound.leaf.key != "train.init_from" || !path) continue;
    ATTUNE_CHECK(std::filesystem::is_regular_file(*path), DataError,
                 "train.init_from={}: there is no such file", *path);
    trial.init_sha256 = sha256(read_file(*path));
  }
  trial.config_yaml = dump(trial.recorded_config());
  std::vector<Trial> trials;
  for (const Index seed : options.seeds) {
    trial.seed = seed;
    trial.data_sha256 = options.options().data_sha256(seed);
    trials.push_back(trial);
  }
  return trials;
}

std::vector<std::string> changed_keys(const std::vector<ConfigLeaf>& before,
                                      const std::vector<ConfigLeaf>& now) {
  const auto text_of = [](const std::vector<ConfigLeaf>& leaves, const std::string& key) {
    for (const ConfigLeaf& leaf : leaves)
      if (leaf.key == key) return to_text(leaf.value);
    return std::string("absent");
  };
  std::vector<std::string> changes;
  const auto compare = [&](const ConfigLeaf& leaf) {
    const std::string was = text_of(before, leaf.key), is = text_of(now, leaf.key);
    std::string change = fmt::format("{}: {} then, {} now", leaf.key, was, is);
    if (was != is && std::find(changes.begin(), changes.end(), change) == changes.end())
      changes.push_back(std::move(change));
  };
  for (const ConfigLeaf& leaf : now) compare(leaf);
  for (const ConfigLeaf& leaf : before) compare(leaf);
  return changes;
}

}  // namespace attune
