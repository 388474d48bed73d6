#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "storage/checkpoint.h"
#include "storage/journal.h"
#include "train/recorder.h"

namespace attune {

// A recorder whose rows are in a journal before they are in memory, and whose states are
// checkpoints: killed at any point, the trial goes on from the last one. The journal is cut to it
// when the recorder is made.
class TrialRecorder : public Recorder {
 public:
  // `folder` is the trial's own while it runs, and locked by the caller.
  TrialRecorder(std::string folder, std::string identity, std::string build_id, Index n_steps,
                EventSink sink = {}, const StopRequest* stop = nullptr);

  // The step that restore() will go on from: 0 for a new trial.
  Index resumes_at() const { return search_.checkpoint ? search_.checkpoint->step : 0; }
  // How often this trial was started, how many steps were executed in all of these starts (more
  // than its steps, when kills made it repeat some), and the seconds up to now.
  Index attempts() const { return history_.attempts; }
  Index executed_steps() const;
  double seconds() const;

  std::optional<TrainingState> restore() override;
  void checkpoint(const TrainingState& state) override;

 protected:
  void on_metrics(const std::string& split, Index step, std::span<const double> values) override;
  void on_probe(const std::string& probe, Index step, std::span<const double> values) override;
  void on_hash(Index step, std::uint64_t hash) override;

 private:
  // What earlier starts did; kept in a file of its own, since the journal is cut on resume.
  struct History {
    Index attempts = 1;
    Index executed = 0;    // before this attempt
    Index started_at = 0;  // step of this attempt
  };
  void continue_history(const JournalContent& written);
  void replay(const std::vector<JournalRecord>& records);

  std::string folder_, path_, identity_, build_id_;
  Index n_steps_;
  CheckpointSearch search_;
  History history_;
  double earlier_seconds_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::unique_ptr<Journal> journal_;
};

}  // namespace attune
