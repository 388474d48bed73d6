#include "study/study_config.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "study/ablation.h"
#include "study/claim.h"
#include "study/study_file.h"
#include "study/sweep.h"

namespace attune {

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

namespace {

Study load_by_schema(const LoadOptions& load, std::span<const Kind> kinds) {
  const std::string schema = schema_of(load);
  if (schema.starts_with("attune/ablation@")) return load_ablation(load, kinds);
  if (schema.starts_with("attune/sweep@")) return load_sweep(load, kinds);
  Diagnostics diagnostics;
  Document document = compose(load, diagnostics);
  if (document.usable) refuse_group_file(document, load, kinds, diagnostics);
  // Keys say nothing while it is unknown what they are keys of.
  if (document.usable && !check_schema(document, diagnostics)) diagnostics.raise();
  if (!document.usable) diagnostics.raise();
  Study study;
  study.said = SaidOfStudy::taken_from(document);
  study.said.set_default_seeds(document, diagnostics);
  study.rows.push_back(
      bind_row(kReferenceRow, document, kind_of(document, kinds, diagnostics), diagnostics));
  diagnostics.raise();
  for (Row& row : baseline_rows(study.reference(), kinds, diagnostics))
    study.rows.push_back(std::move(row));
  diagnostics.raise();
  study.notes = diagnostics.notes();
  return study;
}

}  // namespace

Study load_study(const LoadOptions& load, std::span<const Kind> kinds) {
  Study study = load_by_schema(load, kinds);
  Diagnostics diagnostics;
  read_claims(study.said.claims, study, diagnostics);
  diagnostics.raise();
  const std::vector<Diagnostic>& notes = diagnostics.notes();
  study.notes.insert(study.notes.end(), notes.begin(), notes.end());
  return study;
}

const Row* Study::find(std::string_view name) const {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [name](const Row& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

const Row& Study::row_of(const Trial& trial) const {
  const Row* row = find(trial.row);
  ATTUNE_CHECK(row, DataError, "{} has no row '{}'", name(), trial.row);
  return *row;
}

namespace {

// The content of the file that weights start from; empty where there is none.
std::string init_sha256(const Row& row) {
  const BoundLeaf* bound = row.binding.find("train.init_from");
  const auto* path = bound ? std::get_if<std::string>(&bound->leaf.value) : nullptr;
  if (!path) return {};
  if (!std::filesystem::is_regular_file(*path))
    throw KeyedDataError({bound->leaf.key,
                          fmt::format("{}={}: there is no such file", bound->leaf.key, *path),
                          "Name an HDF5 file with /weights, such as a run file",
                          {}});
  return sha256(read_file(*path));
}

// Of one row, for all repeats or the one that is asked for.
void add_places(const Study& study, const Row& row, std::optional<Index> only,
                std::vector<Trial>& trials) {
  const StudyOptions& options = *study.reference().options;
  Trial trial;
  trial.study = study.name();
  trial.row = row.name;
  trial.kind = row.kind().name;
  trial.config = row.config();
  trial.config_yaml = dump(trial.recorded_config());
  std::vector<std::optional<Index>> folds = {std::nullopt}, repeats = {std::nullopt};
  if (const FoldPlan plan = row.kind_options().folds(); !plan.trials.empty())
    folds.assign(plan.trials.begin(), plan.trials.end());
  if (only) {
    repeats = {only};
  } else if (options.repeats) {
    repeats.clear();
    for (Index r = 0; r < options.repeats->count; ++r) repeats.emplace_back(r);
  }
  for (const Index seed : options.seeds()) {
    for (const std::optional<Index> fold : folds) {
      for (const std::optional<Index> repeat : repeats) {
        trial.seed = seed;
        trial.fold = fold;
        trial.repeat = repeat;
        trials.push_back(trial);
      }
    }
  }
}

// f(row, repeat) in the order in which trials are run: a repeat is none where all of a row come
// together.
template <class F>
void in_order(const Study& study, const F& f) {
  const auto& repeats = study.reference().options->repeats;
  const bool interleaved = repeats && repeats->order == Repeats::Order::interleaved;
  const Index n = interleaved ? repeats->count : 1;
  for (Index r = 0; r < n; ++r)
    for (const Row& row : study.rows) f(row, interleaved ? std::optional(r) : std::nullopt);
}

// At the place where the key was set, if it was.
Diagnostic placed(const Row& row, const Complaint& complaint) {
  Diagnostic error;
  error.message = complaint.message;
  if (!complaint.hint.empty()) error.hints = {complaint.hint};
  if (const BoundLeaf* leaf = row.binding.find(complaint.key)) error.at = leaf->at;
  return error;
}

void plan_row(const Study& study, const Row& row, std::optional<Index> repeat,
              std::vector<Trial>& trials) {
  std::size_t i = trials.size();
  add_places(study, row, repeat, trials);
  const std::string init = init_sha256(row);
  for (; i < trials.size(); ++i) {
    trials[i].init_sha256 = init;
    trials[i].data_sha256 = row.kind_options().data_sha256(trials[i].seed, trials[i].fold);
  }
}

}  // namespace

std::vector<Trial> plan_places(const Study& study) {
  std::vector<Trial> trials;
  in_order(study, [&](const Row& row, std::optional<Index> repeat) {
    add_places(study, row, repeat, trials);
  });
  return trials;
}

std::vector<Trial> plan_trials(const Study& study) {
  std::vector<Trial> trials;
  Diagnostics diagnostics;
  std::set<std::string> told;  // what is wrong with data is wrong for every row
  in_order(study, [&](const Row& row, std::optional<Index> repeat) {
    Diagnostic error;
    try {
      return plan_row(study, row, repeat, trials);
    } catch (const KeyedDataError& refused) {
      error = placed(row, refused.complaint());
    } catch (const DataError& refused) {
      error.message = refused.what();
    }
    if (told.insert(error.message).second) diagnostics.error(std::move(error));
  });
  diagnostics.raise();
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
