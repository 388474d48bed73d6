#include "train/trial_recorder.h"

#include <algorithm>
#include <sstream>

#include "base/files.h"

namespace attune {
namespace {

constexpr const char* kSeconds = "recorder.seconds";

Index last_step(const JournalContent& written) {
  Index step = 0;
  for (const JournalRecord& record : written.records)
    if (const auto* metric = std::get_if<MetricRecord>(&record))
      if (metric->split == "train") step = std::max(step, metric->step);
  return step;
}

}  // namespace

TrialRecorder::TrialRecorder(std::string folder, std::string identity, std::string build_id,
                             Index n_steps, EventSink sink, const StopRequest* stop)
    : Recorder(std::move(sink), stop),
      folder_(std::move(folder)),
      path_(folder_ + "/journal"),
      identity_(std::move(identity)),
      build_id_(std::move(build_id)),
      n_steps_(n_steps) {
  JournalContent written;
  try {
    written = read_journal(path_);
  } catch (const DamagedError& error) {
    emit(Notice{fmt::format("{}; the trial begins again", error.what())});
  }
  if (written.tail == JournalContent::Tail::damaged) emit(Notice{written.problem});
  search_ = load_newest_valid(folder_, identity_, build_id_, written.bytes);
  for (const std::string& notice : search_.notices) emit(Notice{notice});
  continue_history(written);
}

void TrialRecorder::continue_history(const JournalContent& written) {
  const std::string path = folder_ + "/attempts";
  if (file_exists(path)) {
    std::istringstream before(read_file(path));
    before >> history_.attempts >> history_.executed >> history_.started_at;
    history_.attempts += 1;
    history_.executed += std::max<Index>(0, last_step(written) - history_.started_at);
  }
  history_.started_at = resumes_at();
  write_atomically(
      path, fmt::format("{} {} {}\n", history_.attempts, history_.executed, history_.started_at));
}

Index TrialRecorder::executed_steps() const {
  const auto train = content().metrics.find("train");
  const bool any = train != content().metrics.end() && !train->second.step.empty();
  const Index now = any ? train->second.step.back() : history_.started_at;
  return history_.executed + now - history_.started_at;
}

double TrialRecorder::seconds() const {
  const std::chrono::duration<double> here = std::chrono::steady_clock::now() - began_;
  return earlier_seconds_ + here.count();
}

std::optional<TrainingState> TrialRecorder::restore() {
  if (!search_.checkpoint) {
    // Checkpoints that cannot be gone on from (another build's, damaged ones) must not outlive the
    // new ones, which are of lower steps.
    for (const std::string& name : list_folder(folder_))
      if (name.starts_with("ckpt-")) remove_file(folder_ + "/" + name);
    journal_ = std::make_unique<Journal>(path_);
    return std::nullopt;
  }
  Checkpoint& found = *search_.checkpoint;
  replay(read_journal(path_, found.journal_bytes).records);
  journal_ = std::make_unique<Journal>(path_, found.journal_bytes);
  TrainingState state{found.step, std::move(found.blobs)};
  if (const auto seconds = state.blobs.extract(kSeconds))
    earlier_seconds_ = std::strtod(seconds.mapped().c_str(), nullptr);
  return state;
}

// A row was written as one record a metric or quantity, in declared order.
void TrialRecorder::replay(const std::vector<JournalRecord>& records) {
  std::map<std::string, std::vector<double>> pending;
  for (const JournalRecord& record : records) {
    if (const auto* metric = std::get_if<MetricRecord>(&record)) {
      auto& row = pending[metric->split];
      row.push_back(metric->value);
      if (row.size() < content().metrics.at(metric->split).info.size()) continue;
      append_metrics(metric->split, metric->step, row);
      row.clear();
    } else if (const auto* probe = std::get_if<ProbeRecord>(&record)) {
      auto& row = pending["probe " + probe->probe];
      row.insert(row.end(), probe->values.begin(), probe->values.end());
      for (const ProbeTable& table : content().probes) {
        if (table.name != probe->probe) continue;
        if (probe->quantity != table.quantities.back().name) break;
        append_probe(probe->probe, probe->step, row);
        row.clear();
        break;
      }
    } else if (const auto* hash = std::get_if<HashRecord>(&record)) {
      append_hash(hash->step, hash->hash);
    }
  }
}

void TrialRecorder::checkpoint(const TrainingState& state) {
  const auto& train = content().metrics["train"];
  const double loss =
      train.values.empty() || train.values[0].empty() ? 0.0 : train.values[0].back();
  journal_->append(ProgressRecord{state.step, n_steps_, loss});
  journal_->sync();
  Checkpoint checkpoint{state.step, journal_->size(), identity_, build_id_, state.blobs};
  checkpoint.blobs[kSeconds] = fmt::format("{}", seconds());
  save_checkpoint(folder_, checkpoint);
}

void TrialRecorder::on_metrics(const std::string& split, Index step,
                               std::span<const double> values) {
  const auto& info = content().metrics[split].info;
  for (std::size_t i = 0; i < values.size() && i < info.size(); ++i)
    journal_->append(MetricRecord{split, info[i].name, step, values[i]});
}

void TrialRecorder::on_probe(const std::string& probe, Index step, std::span<const double> values) {
  for (const ProbeTable& table : content().probes) {
    if (table.name != probe) continue;
    const std::size_t each = values.size() / table.quantities.size();
    for (std::size_t q = 0; q < table.quantities.size(); ++q) {
      const auto part = values.subspan(q * each, each);
      journal_->append(
          ProbeRecord{probe, table.quantities[q].name, step, {part.begin(), part.end()}});
    }
  }
}

void TrialRecorder::on_hash(Index step, std::uint64_t hash) {
  journal_->append(HashRecord{step, hash});
}

}  // namespace attune
