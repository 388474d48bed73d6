#pragma once

#include <string>
#include <vector>

#include "storage/study_folder.h"
#include "study/study_config.h"

namespace attune {

// How trials are to be run; nothing of it reaches a number.
struct LaunchOptions {
  int threads = 1;  // of a trial
  EventSink sink;
  const StopRequest* stop = nullptr;
  std::vector<std::string> argv;  // for the metadata
  Profile* profile = nullptr;     // of the first trial that is run
};

// What became of the trials that were waiting.
struct LaunchResult {
  Index finished = 0, diverged = 0;   // diverged ones are finished too, and count in both
  Index busy = 0;                     // held by other processes
  std::vector<std::string> failures;  // a sentence each
};

// Runs trials of a study. Implementations differ in where: this process, workers, a cluster.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // Every trial that no other process holds is run to its end. InterruptedError when a stop was
  // requested, with everything checkpointed.
  virtual LaunchResult run(const Study& study, const std::vector<Trial>& waiting,
                           StudyFolder& folder, const LaunchOptions& options) = 0;
};

}  // namespace attune
