#pragma once

#include <optional>
#include <span>

#include "launch/pipe.h"
#include "study/launcher.h"

namespace attune {

// What makes a process a worker: the environment variable ATTUNE_WORKER that WorkerLauncher sets,
// "<parent's pid>,<descriptor of orders>,<descriptor of answers>".
std::optional<WorkerPipes> worker_pipes();

// The worker's side: reads orders, a line of JSON each, and answers with events and results, until
// the orders end or the parent does. Dies with its parent, also when that is killed.
//   {"study": sha256 of the study's text}   first: the study must be the parent's
//   {"trial": number among those planned, "place", "n_trials", "data_sha256", "init_sha256"}
// answered by the trial's events, then by {"done": "finished" | "diverged" | "skipped" | "busy" |
// "stopped" | "failed", "why"}, or {"error": text, "code": exit code} for what ends the study.
ExitCode run_worker(const WorkerPipes& pipes, const Study& study, StudyFolder& folder,
                    const LaunchOptions& options);

}  // namespace attune
