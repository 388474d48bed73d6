#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "storage/metadata.h"
#include "storage/run_content.h"
#include "storage/run_file.h"
#include "storage/trial.h"

namespace attune {

// A trial that this process trains: holds the lock on running/<stem>, where its journal and
// checkpoints lie. Without finish() everything stays for the next start.
class RunningTrial {
 public:
  const std::string& folder() const { return folder_; }
  std::string journal_path() const { return folder_ + "/journal"; }

  // Makes the trial a finished one, in this order: run file under a temporary name, metadata
  // renamed into place, run file renamed into place (with it the trial is finished), folder()
  // removed. A kill anywhere leaves the trial unfinished and resumable, or finished. Returns the
  // run file's path. StorageError when the disk is full: nothing is lost.
  std::string finish(const Trial& trial, const RunContent& content, const RunMetadata& metadata);

 private:
  friend class StudyFolder;
  RunningTrial(std::string trials, std::string folder, FileLock lock)
      : trials_(std::move(trials)), folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::string trials_, folder_;
  FileLock lock_;
};

// results/<name>/: study.yaml, study.1.yaml, … (the study as it was at each start),
// trials/<stem>.{h5,meta.json}, running/<stem>/{journal, ckpt-<step>, lock, trial}. Several
// processes may use one at the same time. `trial` says what is trained (Trial::canonical_text()).
class StudyFolder {
 public:
  // Touches nothing on disk.
  explicit StudyFolder(std::string path);
  const std::string& path() const { return path_; }
  bool exists() const { return file_exists(path_); }

  // Keeps the study's text as study.yaml, then study.1.yaml, …; one equal to the newest is not
  // repeated. Makes the folder. Returns the file's path. `accept` is called before, under the
  // study's lock, so that it sees what every other start has left; when it throws, nothing is kept.
  std::string freeze(const std::string& text, const std::function<void()>& accept = {});
  std::vector<std::string> frozen() const;  // paths, oldest first

  // The finished trial of this identity, whatever its row is called. Names come from the folder as
  // it was when first asked; refresh() reads it again.
  std::optional<std::string> find_finished(const Trial& trial) const;
  std::vector<std::string> finished() const;  // stems, sorted
  // What a finished trial's file says, its bytes compared with the SHA-256 in its metadata: HDF5
  // itself checks no final. A file is read whole, once: it never changes. DamagedError when it has.
  const RunHead& head(const std::string& stem) const;
  std::string run_path(const std::string& stem) const { return path_ + "/trials/" + stem + ".h5"; }
  std::string metadata_path(const std::string& stem) const {
    return path_ + "/trials/" + stem + ".meta.json";
  }
  void refresh() { finished_.reset(); }

  struct Unfinished {
    std::string stem;
    Index step = 0, n_steps = 0;     // of the last progress record
    bool held = false;               // a process trains it now
    std::optional<LockOwner> owner;  // who did last
    std::string problem;             // a damaged journal, in a sentence
    std::string canonical_text;      // of the trial
  };
  // Reading only. A folder that was made, and its process killed before it said for what, holds
  // nothing and is passed over.
  std::vector<Unfinished> unfinished() const;

  // Takes the trial. None when it was finished meanwhile; BusyError naming the owner when another
  // process holds it.
  std::optional<RunningTrial> start(const Trial& trial);

  // Removes what kills leave: running folders of finished trials, temporary files. Of trials that
  // are held, nothing.
  void clean();

 private:
  const std::vector<std::string>& names() const;  // of trials/, as last read
  std::string path_;
  mutable std::optional<std::vector<std::string>> finished_;
  mutable std::map<std::string, RunHead> heads_;  // by stem
};

}  // namespace attune
