#include "study/fsck.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "study/recorded_study.h"
#include "study/standing.h"

namespace attune {
namespace {

using State = FsckFinding::State;

constexpr const char* kGoesOn =
    "The same run command goes on from the newest checkpoint that is whole, or begins this trial "
    "again; finished trials are not touched";

class Check {
 public:
  Check(StudyFolder& folder, std::span<const Kind> kinds, FsckReport& report)
      : folder_(folder), kinds_(kinds), report_(report) {}

  void frozen() {
    for (const std::string& path : folder_.frozen()) {
      report_.frozen += 1;
      guard(path, [&] { read_frozen(path, kinds_); });
    }
    if (folder_.frozen().empty() && !folder_.finished().empty())
      note(folder_.path(),
           fmt::format("{}: study.yaml is missing. Run files hold their configs; the next run "
                       "command freezes it again",
                       folder_.path()));
  }

  void finished() {
    for (const std::string& stem : folder_.finished()) {
      report_.run_files += 1;
      const std::string path = folder_.run_path(stem);
      guard(path, [&] { run_file(stem, path); });
    }
    constexpr std::string_view kSuffix = ".meta.json";
    for (const std::string& name : list_folder(folder_.path() + "/trials")) {
      if (name.starts_with('.') || !name.ends_with(kSuffix)) continue;
      const std::string stem = name.substr(0, name.size() - kSuffix.size());
      if (file_exists(folder_.run_path(stem)) || file_exists(folder_.path() + "/running/" + stem))
        continue;
      note(folder_.metadata_path(stem),
           fmt::format("{}: its run file is not there, and metadata alone counts for nothing. The "
                       "next run command trains this trial again",
                       folder_.metadata_path(stem)));
    }
  }

  void running() {
    for (const std::string& stem : list_folder(folder_.path() + "/running")) {
      const std::string path = folder_.path() + "/running/" + stem;
      guard(path, [&] { stopped_trial(stem, path); });
    }
  }

  // What a kill leaves of a start: only its owner writes it, under the study's lock.
  void temporaries() {
    std::vector<std::string> left;
    for (const std::string& name : list_folder(folder_.path()))
      if (name.starts_with(".study") && name.ends_with(".tmp")) left.push_back(name);
    if (left.empty()) return;
    const auto lock = FileLock::try_lock(folder_.path() + "/.lock");
    if (!lock) return;
    for (const std::string& name : left) {
      remove_file(folder_.path() + "/" + name);
      repaired(name, fmt::format("{}/{}: a start was killed while it wrote this; removed",
                                 folder_.path(), name));
    }
  }

  void remains() {
    const auto listed = [this] {
      std::vector<std::string> all;
      for (const char* part : {"running", "trials"})
        for (const std::string& name : list_folder(folder_.path() + "/" + part))
          all.push_back(folder_.path() + "/" + part + "/" + name);
      return all;
    };
    const std::vector<std::string> before = listed();
    folder_.clean();
    const std::vector<std::string> after = listed();
    for (const std::string& path : before)
      if (!std::binary_search(after.begin(), after.end(), path))
        repaired(path, path + ": left by a kill; removed");
  }

 private:
  void note(const std::string& path, std::string text) {
    report_.findings.push_back({State::note, path, std::move(text)});
  }
  void repaired(const std::string& path, std::string text) {
    report_.findings.push_back({State::repaired, path, std::move(text)});
  }
  void damaged(const std::string& path, std::string text) {
    report_.findings.push_back({State::damaged, path, std::move(text)});
  }
  // Damage of one file does not keep the others from being looked at; one that the disk does not
  // give back is damaged, too.
  template <class F>
  void guard(const std::string& path, const F& look) {
    try {
      look();
    } catch (const DamagedError& error) {
      damaged(path, error.what());
    } catch (const DataError& error) {
      damaged(path, error.what());
    } catch (const StorageError& error) {
      damaged(path, error.what());
    }
  }

  void run_file(const std::string& stem, const std::string& path) {
    const std::string meta = folder_.metadata_path(stem);
    bool vouched = false;  // by metadata that is whole
    guard(meta, [&] {
      if (file_exists(meta)) {
        metadata(stem, meta);
        vouched = true;
      } else {
        note(path, fmt::format("{}: has no metadata beside it, so that its bytes cannot be held "
                               "against those that were written; it can be read. `attune verify` "
                               "repeats it and compares",
                               path));
      }
    });
    // Bytes first: whatever was changed, that is why, and the advice is the same.
    if (vouched) folder_.head(stem);
    const RunFile run = read_run_file(path);
    recorded_study(run, kinds_);
    const std::string named = run.trial.stem();
    ATTUNE_CHECK(named == stem, DamagedError,
                 "{}: holds the trial {}: the file was renamed or copied over another. Give it its "
                 "name back, or remove it and run its study again, which trains what is missing",
                 path, named);
  }

  static void metadata(const std::string& stem, const std::string& path) {
    const Json json = read_metadata(path);
    constexpr std::size_t kDigits = 64;
    for (const char* key : {"run_file_sha256", "identity"}) {
      const Json* value = json.find(key);
      ATTUNE_CHECK(value && value->text() && value->text()->size() == kDigits, DamagedError,
                   "{}: holds no {} of 64 digits: the file is damaged. Copy it again from where it "
                   "was made; or remove it with its run file and run the study again, which trains "
                   "what is missing",
                   path, key);
    }
    const std::string& identity = *json.find("identity")->text();
    ATTUNE_CHECK(
        stem.ends_with(identity.substr(0, 8)), DamagedError,
        "{}: is of the trial {:.8}…: the file is damaged, or was copied over another. Copy "
        "it again from where it was made",
        path, identity);
  }

  void stopped_trial(const std::string& stem, const std::string& path) {
    if (file_exists(folder_.run_path(stem))) return;  // finished: remains() removes the folder
    const auto lock = FileLock::try_lock(path + "/lock");
    if (!lock) {
      report_.held += 1;
      return;
    }
    report_.running += 1;
    remove_left_behind(path);
    const std::string trial = path + "/trial";
    std::string identity;
    if (!file_exists(trial)) {
      note(path, path +
                     ": its process was killed before it said for which trial; the next run "
                     "command begins it");
    } else {
      identity = sha256(read_file(trial));
      if (!stem.ends_with("-" + identity.substr(0, 8)))
        damaged(trial, fmt::format("{}: says another trial than its folder's name: the file is "
                                   "damaged. Remove the folder {}, and the next run command trains "
                                   "this trial anew",
                                   trial, path));
    }
    const std::uint64_t journal_bytes = journal(path + "/journal");
    checkpoints(path, identity, journal_bytes);
    attempts(path + "/attempts");
  }

  void remove_left_behind(const std::string& path) {
    for (const std::string& name : list_folder(path)) {
      if (!name.ends_with(".tmp")) continue;
      remove_file(path + "/" + name);
      repaired(path + "/" + name, fmt::format("{}/{}: left by a kill; removed", path, name));
    }
  }

  // Its good bytes.
  std::uint64_t journal(const std::string& path) {
    JournalContent content;
    try {
      content = read_journal(path);
    } catch (const DamagedError& error) {
      damaged(path, fmt::format("{}. {}", error.what(), kGoesOn));
      return 0;
    }
    if (content.tail == JournalContent::Tail::torn) {
      AppendFile(path, content.bytes).sync();
      repaired(path, content.problem + "; cut to them");
    } else if (content.tail == JournalContent::Tail::damaged) {
      damaged(path, fmt::format("{}. {}", content.problem, kGoesOn));
    }
    return content.bytes;
  }

  void checkpoints(const std::string& folder, const std::string& identity,
                   std::uint64_t journal_bytes) {
    for (const std::string& name : list_folder(folder)) {
      if (!name.starts_with("ckpt-")) continue;
      const std::string path = folder + "/" + name;
      try {
        const Checkpoint found = read_checkpoint(path);
        ATTUNE_CHECK(identity.empty() || found.identity == identity, DamagedError,
                     "{}: belongs to another trial ({:.8}…, this one is {:.8}…)", path,
                     found.identity, identity);
        ATTUNE_CHECK(name == fmt::format("ckpt-{}", found.step), DamagedError, "{}: is of step {}",
                     path, found.step);
        ATTUNE_CHECK(found.journal_bytes <= journal_bytes, DamagedError,
                     "{}: belongs to a journal of {} bytes, of which {} are left", path,
                     found.journal_bytes, journal_bytes);
      } catch (const DamagedError& error) {
        damaged(path, fmt::format("{}. {}", error.what(), kGoesOn));
      }
    }
  }

  void attempts(const std::string& path) {
    if (!file_exists(path)) return;
    std::istringstream text(read_file(path));
    Index value = 0;
    int n = 0;
    while (text >> value) n += value >= 0;
    if (n != 3 || !text.eof())
      damaged(path, fmt::format("{}: should hold three counts: the file is damaged. Remove it: it "
                                "says only how often the trial was interrupted",
                                path));
  }

  StudyFolder& folder_;
  std::span<const Kind> kinds_;
  FsckReport& report_;
};

// Files that are made from run files alone and may be made again at any time. Returns what was
// rebuilt, a path each. Whoever adds a cache to a study's folder rebuilds it here.
std::vector<std::string> rebuild_caches(const StudyFolder&) { return {}; }

}  // namespace

Index FsckReport::count(State state) const {
  return std::count_if(findings.begin(), findings.end(),
                       [state](const FsckFinding& f) { return f.state == state; });
}

FsckReport fsck(StudyFolder& folder, std::span<const Kind> kinds) {
  FsckReport report;
  Check check(folder, kinds, report);
  folder.refresh();
  check.temporaries();
  check.frozen();
  check.finished();
  check.running();
  check.remains();
  // From damaged files nothing is made.
  if (report.count(State::damaged) == 0)
    for (const std::string& path : rebuild_caches(folder))
      report.findings.push_back({State::repaired, path, path + ": rebuilt from the run files"});
  return report;
}

}  // namespace attune
