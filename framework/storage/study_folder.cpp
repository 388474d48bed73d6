#include "storage/study_folder.h"

#include <unistd.h>

#include <algorithm>

#include "base/build_facts.h"
#include "base/error.h"
#include "base/hash.h"
#include "storage/journal.h"

namespace attune {
namespace {

constexpr std::string_view kRunSuffix = ".h5";

std::string frozen_name(std::size_t n) {
  return n == 0 ? "study.yaml" : fmt::format("study.{}.yaml", n);
}

std::string lock_path(const std::string& folder) { return folder + "/lock"; }
std::string trial_path(const std::string& folder) { return folder + "/trial"; }

// The lock file goes last, so that nobody can hold the trial while parts of it disappear. When
// another process has already opened a new lock in the folder, the folder stays for that one to
// remove.
void remove_running(const std::string& folder) {
  for (const std::string& name : list_folder(folder)) {
    if (name != "lock") remove_tree(folder + "/" + name);
  }
  remove_file(lock_path(folder));
  ::rmdir(folder.c_str());
}

}  // namespace

std::string RunningTrial::finish(const Trial& trial, const RunContent& content,
                                 const RunMetadata& metadata) {
  const std::string base = trials_ + "/" + trial.stem();
  std::string path = base + ".h5";
  const std::string bytes = run_file_bytes(trial, content, build_facts().build_id);
  make_folders(trials_);
  write_synced(temporary_name(path), bytes);
  write_atomically(base + ".meta.json", metadata_text(metadata, trial.identity(), sha256(bytes)));
  rename_synced(temporary_name(path), path);
  remove_running(folder_);
  return path;
}

StudyFolder::StudyFolder(std::string path) : path_(std::move(path)) {}

std::string StudyFolder::freeze(const std::string& text, const std::function<void()>& accept) {
  make_folders(path_);
  const FileLock lock = FileLock::wait(path_ + "/.lock");
  refresh();
  if (accept) accept();
  const std::vector<std::string> old = frozen();
  if (!old.empty() && read_file(old.back()) == text) return old.back();
  std::string path = path_ + "/" + frozen_name(old.size());
  write_atomically(path, text);
  return path;
}

std::vector<std::string> StudyFolder::frozen() const {
  std::vector<std::string> paths;
  for (std::size_t n = 0; file_exists(path_ + "/" + frozen_name(n)); ++n)
    paths.push_back(path_ + "/" + frozen_name(n));
  return paths;
}

const std::vector<std::string>& StudyFolder::names() const {
  if (!finished_) {
    finished_.emplace();
    for (std::string& name : list_folder(path_ + "/trials")) {
      if (!name.ends_with(kRunSuffix) || name.starts_with('.')) continue;
      name.resize(name.size() - kRunSuffix.size());
      finished_->push_back(std::move(name));
    }
  }
  return *finished_;
}

std::vector<std::string> StudyFolder::finished() const { return names(); }

std::optional<std::string> StudyFolder::find_finished(const Trial& trial) const {
  const std::string stem = trial.stem(), identity = trial.identity();
  const std::string id8 = fmt::format("-{}", identity.substr(0, 8));
  const auto matches = [&](const std::string& candidate) {
    return file_exists(run_path(candidate)) && head(candidate).identity == identity;
  };
  if (matches(stem)) return run_path(stem);
  for (const std::string& candidate : names()) {
    if (candidate != stem && candidate.ends_with(id8) && matches(candidate))
      return run_path(candidate);
  }
  return std::nullopt;
}

const RunHead& StudyFolder::head(const std::string& stem) const {
  const auto known = heads_.find(stem);
  if (known != heads_.end()) return known->second;
  const std::string path = run_path(stem);
  RunHead head = read_run_head(path);  // tells what is no run file at all
  checked_sha256(path, metadata_beside(path));
  return heads_.emplace(stem, std::move(head)).first->second;
}

std::vector<StudyFolder::Unfinished> StudyFolder::unfinished() const {
  std::vector<Unfinished> all;
  for (const std::string& stem : list_folder(path_ + "/running")) {
    const std::string folder = path_ + "/running/" + stem;
    if (file_exists(run_path(stem)) || !file_exists(trial_path(folder))) continue;
    Unfinished trial{
        stem, 0, 0, FileLock::is_held(lock_path(folder)), FileLock::owner(lock_path(folder)),
        "",   ""};
    try {
      trial.canonical_text = read_file(trial_path(folder));
      const JournalContent journal = read_journal(folder + "/journal");
      for (const JournalRecord& record : journal.records) {
        if (const auto* progress = std::get_if<ProgressRecord>(&record)) {
          trial.step = progress->step;
          trial.n_steps = progress->n_steps;
        }
      }
      if (journal.tail == JournalContent::Tail::damaged) trial.problem = journal.problem;
    } catch (const Error& error) {
      trial.problem = error.what();
    }
    all.push_back(std::move(trial));
  }
  return all;
}

std::optional<RunningTrial> StudyFolder::start(const Trial& trial) {
  const std::string stem = trial.stem(), folder = path_ + "/running/" + stem;
  constexpr int kAttempts = 100;
  for (int attempt = 0;; ++attempt) {
    std::optional<FileLock> lock;
    try {
      make_folders(folder);
      lock = FileLock::try_lock(lock_path(folder));
    } catch (const StorageError&) {
      // Its last owner may have finished and removed the folder, which a third process may have
      // made again by now: what lasts is told from what passes by trying.
      if (attempt == kAttempts) throw;
      continue;
    }
    if (!lock) {
      const auto owner = FileLock::owner(lock_path(folder));
      throw BusyError(
          fmt::format("{}: {} is trained by another process{}", path_, stem,
                      owner ? fmt::format(" ({} on {})", owner->pid, owner->host) : ""));
    }
    RunningTrial running(path_ + "/trials", folder, std::move(*lock));
    refresh();
    if (find_finished(trial)) {
      remove_running(folder);
      return std::nullopt;
    }
    remove_file(temporary_name(run_path(stem)));
    remove_file(temporary_name(metadata_path(stem)));
    if (!file_exists(trial_path(folder)))
      write_atomically(trial_path(folder), trial.canonical_text());
    return running;
  }
}

void StudyFolder::clean() {
  for (const std::string& stem : list_folder(path_ + "/running")) {
    const std::string folder = path_ + "/running/" + stem;
    if (!file_exists(run_path(stem))) continue;
    if (const auto lock = FileLock::try_lock(lock_path(folder))) remove_running(folder);
  }
  for (const std::string& name : list_folder(path_ + "/trials")) {
    constexpr std::string_view kTemporary = ".tmp";
    if (!name.starts_with('.') || !name.ends_with(kTemporary)) continue;
    // ".<stem>.h5.tmp" or ".<stem>.meta.json.tmp": only its trial's owner writes it.
    std::string stem = name.substr(1, name.size() - 1 - kTemporary.size());
    for (std::string_view suffix : {".h5", ".meta.json"}) {
      if (stem.ends_with(suffix)) stem.resize(stem.size() - suffix.size());
    }
    if (!FileLock::is_held(lock_path(path_ + "/running/" + stem)))
      remove_file(path_ + "/trials/" + name);
  }
}

}  // namespace attune
