#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "storage/run_content.h"
#include "train/events.h"

namespace attune {

// What a trial needs to go on from a step: raw bytes by name, and the step they belong to.
struct TrainingState {
  Index step = 0;
  std::map<std::string, std::string> blobs;
};

// A figure that is no function of config and data: seconds, bytes. It goes to the metadata only.
struct Measured {
  std::string name, units;
  double value = 0;
};

// The only way from an experiment to files and screen. This one keeps everything in memory;
// TrialRecorder keeps it on disk as well, step by step.
class Recorder {
 public:
  explicit Recorder(EventSink sink = {}, const StopRequest* stop = nullptr)
      : sink_(std::move(sink)), stop_(stop) {}
  virtual ~Recorder() = default;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Metrics of a split, declared once; then a row of values, one each, at rising steps.
  void declare(const std::string& split, std::vector<MetricInfo> metrics);
  void row(const std::string& split, Index step, std::span<const double> values);
  // A probe whose first dimension is "step"; then a row a step: values by quantity, then
  // row-major over the other dimensions.
  void declare_probe(ProbeTable probe);
  void probe_row(const std::string& probe, Index step, std::span<const double> values);
  // Hash of all parameters.
  void hash(Index step, std::uint64_t hash);

  // What becomes the run file.
  RunContent& content() { return content_; }
  const RunContent& content() const { return content_; }
  void measure(const std::string& name, const std::string& units, double value) {
    measured_.push_back({name, units, value});
  }
  const std::vector<Measured>& measured() const { return measured_; }

  void emit(const Event& event) const {
    if (sink_) sink_(event);
  }
  std::optional<ExitCode> stop_requested() const {
    return stop_ ? stop_->requested() : std::nullopt;
  }

  // Where an earlier start of this trial left off, with the rows up to there; call after the
  // declarations, before the first row.
  virtual std::optional<TrainingState> restore() { return std::nullopt; }
  virtual void checkpoint(const TrainingState&) {}

 protected:
  void append_metrics(const std::string& split, Index step, std::span<const double> values);
  void append_probe(const std::string& probe, Index step, std::span<const double> values);
  void append_hash(Index step, std::uint64_t hash);
  // Called for every row before it stands in content().
  virtual void on_metrics(const std::string&, Index, std::span<const double>) {}
  virtual void on_probe(const std::string&, Index, std::span<const double>) {}
  virtual void on_hash(Index, std::uint64_t) {}

 private:
  EventSink sink_;
  const StopRequest* stop_;
  RunContent content_;
  std::vector<Measured> measured_;
};

}  // namespace attune
