#include "study/study_file.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <utility>

#include "base/text.h"

namespace attune {
namespace {

// Keys that a row has from the file, where that has them.
constexpr std::array<std::string_view, 8> kOfRows = {"name",  "doc",    "seeds",      "metrics",
                                                     "stats", "budget", "on_failure", "repeats"};
// Keys of an experiment that say something of that experiment alone.
constexpr std::array<std::string_view, 9> kNotTaken = {
    "schema", "name", "doc", "baselines", "claims", "budget", "on_failure", "repeats", "report"};

template <std::size_t n>
bool holds(const std::array<std::string_view, n>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view first_part(std::string_view override_) {
  return override_.substr(0, override_.find_first_of(".="));
}

}  // namespace

void refuse(Diagnostics& diagnostics, const Node::Entry& entry, std::string message,
            std::string hint) {
  Diagnostic error{.at = entry.at, .message = std::move(message)};
  if (!hint.empty()) error.hints = {std::move(hint)};
  diagnostics.error(std::move(error));
}

bool is_within(std::string_view key, std::string_view other) {
  return key.starts_with(other) && (key.size() == other.size() || key[other.size()] == '.');
}

void lay_over(Document& document, std::span<const Change> changes, Diagnostics& diagnostics) {
  for (const bool kinds : {true, false})
    for (const Change& change : changes)
      if (change.key.ends_with(".kind") == kinds)
        set_value(document, change.key, *change.value, change.at, diagnostics);
}

std::string schema_of(const LoadOptions& load) {
  LoadOptions own = load;
  own.overrides.clear();
  Diagnostics ignored;
  const Document document = compose(own, ignored);
  return document.usable ? document.scalar("schema").value_or("") : "";
}

StudyFile::StudyFile(const LoadOptions& load, std::string_view schema, std::vector<std::string> own,
                     Diagnostics& diagnostics)
    : load_(load), schema_(schema), own_(std::move(own)) {
  LoadOptions of_file = load;
  of_file.overrides.clear();
  for (const std::string& each : load.overrides) {
    constexpr std::string_view kStudy = "study.";
    if (each.starts_with(kStudy)) {
      of_file.overrides.push_back(each.substr(kStudy.size()));
    } else if (holds(kOfRows, first_part(each))) {
      of_file.overrides.push_back(each);
    } else {
      base_overrides_.push_back(each);
    }
  }
  file_ = compose(of_file, diagnostics);
  if (!file_.usable) diagnostics.raise();
  said_ = SaidOfStudy::taken_from(file_);

  std::vector<std::string> known = {"schema", "base"};
  known.insert(known.end(), own_.begin(), own_.end());
  known.insert(known.end(), kOfRows.begin(), kOfRows.end());
  for (const Node::Entry& entry : file_.root.entries) {
    if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    const auto meant = did_you_mean(entry.key, known);
    refuse(diagnostics, entry,
           fmt::format("unknown key '{}' of a study of schema {}{}", entry.key, schema_,
                       meant ? fmt::format("; did you mean '{}'?", *meant) : ""),
           "its keys are: " + join(known) + "; those of its rows stand under base");
  }
  for (const char* needed : {"base", "name"})
    if (!find(needed))
      diagnostics.error({.at = Origin::of(file_.root.at.source),
                         .message = fmt::format("{} must be set", needed)});
}

void StudyFile::bind_own(FieldList& fields, Diagnostics& diagnostics) const {
  Document own = file_;
  const KeyIndex known(fields);
  std::erase_if(own.root.entries,
                [&](const Node::Entry& entry) { return known.find(entry.key).empty(); });
  bind(own, fields, diagnostics);
}

Document StudyFile::base(Diagnostics& diagnostics) const {
  const Node::Entry* base = find("base");
  Document document;
  if (!base) return document;
  LoadOptions load = load_;
  load.overrides = base_overrides_;
  if (base->value.is_map()) {
    load.body = base->value;
  } else {
    load.path = (std::filesystem::path(base->at.source->folder) / base->value.text).string();
    load.text.reset();
  }
  document = compose(load, diagnostics);
  if (!document.usable) return document;
  std::erase_if(document.root.entries,
                [](const Node::Entry& entry) { return holds(kNotTaken, entry.key); });
  for (const std::string_view key : kOfRows)
    if (const Node::Entry* own = find(key))
      set_value(document, key, own->value, own->at, diagnostics);
  said_.set_default_seeds(document, diagnostics);
  return document;
}

std::string StudyFile::text(const Row& reference) const {
  std::string own = fmt::format("schema: {}\n", schema_), base = "base:\n", last;
  std::istringstream resolved(dump(*reference.fields));
  bool of_rows = false, taken = true;
  for (std::string line; std::getline(resolved, line);) {
    if (!line.starts_with(' ')) {  // else it belongs to the key above it
      const std::string key = line.substr(0, line.find(':'));
      of_rows = holds(kOfRows, key);
      taken = of_rows || !holds(kNotTaken, key);
    }
    if (taken) (of_rows ? own : base) += (of_rows ? "" : "  ") + line + "\n";
  }
  for (const std::string& key : own_)
    if (const Node::Entry* entry = find(key))
      last += fmt::format("{}: {}\n", key, flow_text(entry->value));
  return own + base + last;
}

}  // namespace attune
