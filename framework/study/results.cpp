#include "study/results.h"

#include <tuple>

namespace attune {
namespace {

using Place = std::tuple<Index, Index, Index>;

template <class T>
Place place_of(const T& t) {
  return {t.seed, t.fold.value_or(-1), t.repeat.value_or(-1)};
}

// The same trial, of the data and weights that a finished one had.
std::string identity_with(Trial trial, const RunHead& head) {
  trial.data_sha256 = head.data_sha256;
  trial.init_sha256 = head.init_sha256;
  trial.stop_step = head.stop_step;
  return trial.identity();
}

}  // namespace

Results::Results(const Study& study, const std::vector<Trial>& trials, const StudyFolder& folder)
    : n_trials_(static_cast<Index>(trials.size())) {
  std::map<std::string, std::map<Place, std::vector<std::string>>> by_row;
  std::map<Place, std::vector<std::string>> by_place;
  for (const std::string& stem : folder.finished()) {
    const RunHead& head = folder.head(stem);
    by_row[head.row][place_of(head)].push_back(stem);
    by_place[place_of(head)].push_back(stem);
  }
  std::map<std::string, std::vector<TrialFile>> files;
  for (const Trial& trial : trials) {
    TrialFile& file = files[trial.row].emplace_back();
    file = {trial.seed, trial.fold, std::nullopt, trial.repeat, std::nullopt};
    const auto look = [&](const std::vector<std::string>& stems) {
      for (const std::string& stem : stems) {
        const RunHead& head = folder.head(stem);
        if (file.path || identity_with(trial, head) != head.identity) continue;
        file.path = folder.run_path(stem);
        file.head = head;
      }
    };
    look(by_row[trial.row][place_of(trial)]);
    // A run file that was run as a study keeps the name of its row.
    if (!file.path && study.rows.size() == 1) look(by_place[place_of(trial)]);
    if (!file.path) continue;
    n_finished_ += 1;
    builds_[file.head->build_id] += 1;
  }
  for (const Row& row : study.rows)
    rows_.emplace(row.name, RowRuns(row.name, row.kind_options().folds(), files[row.name]));
}

const RowRuns& Results::of(const Row& row) const { return rows_.at(row.name); }

Index Results::n_diverged() const {
  Index n = 0;
  for (const auto& [name, runs] : rows_) n += runs.n_diverged();
  return n;
}

}  // namespace attune
