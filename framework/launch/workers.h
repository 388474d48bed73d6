#pragma once

#include "study/launcher.h"

namespace attune {

// Trials in worker processes: this program started anew with the same command line (exec, never a
// fork that goes on), which reads the same study and takes one trial after the other. A worker that
// dies costs its trial, which stays resumable, and is replaced; workers die with their parent.
// Trials are the same bytes whoever runs them, so that the number of workers reaches no number.
class WorkerLauncher : public Launcher {
 public:
  explicit WorkerLauncher(int n_workers) : n_workers_(n_workers) {}
  LaunchResult run(const Study& study, const std::vector<Trial>& waiting, StudyFolder& folder,
                   const LaunchOptions& options) override;

 private:
  int n_workers_;
};

}  // namespace attune
