#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/hash.h"
#include "base/text.h"
#include "storage/run_file.h"
#include "train/evaluate.h"

namespace attune {
namespace {

BatchRule batch_rule(const TrainOptions& o) {
  return o.batch_size ? BatchRule{0, *o.batch_size} : BatchRule{o.batch_tokens, 0};
}

std::string bytes_of(View<const float> x) {
  return std::string(reinterpret_cast<const char*>(x.data()),
                     static_cast<std::size_t>(x.size()) * sizeof(float));
}

void copy_bytes(const std::string& bytes, View<float> x) {
  ATTUNE_CHECK(bytes.size() == static_cast<std::size_t>(x.size()) * sizeof(float), StorageError,
               "a checkpoint holds {} bytes of parameters, this model has {}", bytes.size(),
               static_cast<std::size_t>(x.size()) * sizeof(float));
  std::memcpy(x.data(), bytes.data(), bytes.size());
}

void require_finite(const WeightSet& weights, const std::string& path) {
  std::vector<std::string> wrong;
  for (const NamedTensor& t : weights.tensors)
    if (!std::all_of(t.values.begin(), t.values.end(), [](float x) { return std::isfinite(x); }))
      wrong.push_back(t.name);
  ATTUNE_CHECK(wrong.empty(), DataError,
               "{}: its /weights hold NaN, infinity, or more than a float32 can, in {}. Start from "
               "a run that did not diverge",
               path, join(wrong));
}

}  // namespace

Trainer::Trainer(const TrainerOptions& options, const Dataset& data, Index seed, Recorder& recorder,
                 Profile* profile)
    : options_(options),
      data_(data),
      seed_(static_cast<std::uint64_t>(seed)),
      recorder_(recorder),
      profile_(profile),
      learner_(options.learner(), data.spec(), seed_),
      last_step_(options.train.steps),
      probes_(options.probes.make({learner_, data, options.model.chosen(), &last_step_})),
      batches_(Packer(data.lengths(Split::train), batch_rule(options.train), seed)),
      augmenter_(data.images() ? data.images()->augment() : AugmentOptions{}, seed_),
      last_checkpoint_(std::chrono::steady_clock::now()) {
  learner_.set_profile(profile);
  batch_.reserve(data, batches_.packer().max_tokens(), batches_.packer().max_examples());
}

void Trainer::check(const TrainerOptions& options, const Dataset& data) {
  if (const auto misfit = options.model.chosen().misfit(data.spec())) {
    throw KeyedDataError({"model." + misfit->key,
                          fmt::format("model.kind={} {}", options.model.kind, misfit->message),
                          misfit->hint,
                          {}});
  }
  if (!data.one_target() && options.loss.kind != LossOptions::Kind::cross_entropy)
    throw KeyedDataError(
        {"loss.kind",
         fmt::format("loss.kind={} needs a target an example, and here rows or queries have them",
                     options.loss.name()),
         "set loss.kind=cross_entropy",
         {}});
  options.probes.check(options.model.chosen(), data);
  for (const Split split : kSplits)
    Packer(data.lengths(split), batch_rule(options.train), 0, std::string(name_of(split)));
  if (const auto& from = options.train.init_from) {
    try {
      const WeightSet weights = read_weights(*from);
      load_weights(weights, *from, Learner<float>(options.learner(), data.spec(), 0));
      require_finite(weights, *from);
    } catch (const DataError& error) {
      throw KeyedDataError({"train.init_from", error.what(), "", {}});
    }
  }
}

void Trainer::declare() {
  recorder_.content().class_names = data_.class_names();
  recorder_.content().token_names = data_.token_names();
  recorder_.content().row_targets = data_.row_targets();
  if (data_.row_kind() == RowSpec::Kind::vectors || data_.row_kind() == RowSpec::Kind::sparse)
    recorder_.content().width = data_.width();
  if (data_.images()) recorder_.content().gray = data_.images()->gray();
  const MetricInfo loss = loss_metric(options_.loss.name());
  train_metrics_ = {{"loss", loss.units, loss.long_name + " of the step's batch", "minimize"},
                    {"accuracy", "1", "accuracy on the step's batch", "maximize"},
                    {"grad_norm", "1", "L2 norm of the gradient before clipping", ""},
                    {"lr", "1", "learning rate", ""}};
  if (!options_.train.batch_size)
    train_metrics_.push_back(
        {"token_efficiency", "1", "share of train.batch_tokens that the step's batch fills", ""});
  val_metrics_ = available_metrics(data_, Split::val);
  test_metrics_ = available_metrics(data_, Split::test);
  for (auto* metrics : {&val_metrics_, &test_metrics_})
    for (MetricInfo& m : *metrics)
      if (m.name == "loss") m = loss;
  recorder_.declare("train", train_metrics_);
  recorder_.declare("val", val_metrics_);
  recorder_.declare("test", test_metrics_);
  for (const auto& probe : probes_) recorder_.declare_probe(probe->table());
}

void Trainer::initial_parameters() {
  if (const auto& from = options_.train.init_from)
    load_weights(read_weights(*from), *from, learner_);
}

TrainingState Trainer::state(Index step) const {
  TrainingState s;
  s.step = step;
  s.blobs["values"] = values();
  for (const auto& moment : learner_.optimiser().moments())
    s.blobs[moment.name] = bytes_of(moment.values);
  if (chosen_.step >= 0) {
    s.blobs["chosen"] = chosen_.values;
    s.blobs["chosen_at"] = fmt::format("{} {:a}", chosen_.step, chosen_.score);
  }
  if (!watch_.best.empty()) {
    s.blobs["improved_at"] = std::to_string(watch_.improved_at);
    s.blobs["best"] = std::string(reinterpret_cast<const char*>(watch_.best.data()),
                                  watch_.best.size() * sizeof(double));
  }
  for (const auto& [which, kept] : kept_) {
    s.blobs["kept." + which] = kept.values;
    s.blobs["kept_at." + which] = std::to_string(kept.step);
  }
  return s;
}

void Trainer::restore(const TrainingState& s) {
  set_values(s.blobs.at("values"));
  for (const auto& moment : learner_.optimiser().moments())
    copy_bytes(s.blobs.at(moment.name), moment.values);
  if (s.blobs.contains("chosen")) {
    chosen_.values = s.blobs.at("chosen");
    const std::string& at = s.blobs.at("chosen_at");
    char* end = nullptr;
    chosen_.step = std::strtoll(at.c_str(), &end, 10);
    chosen_.score = std::strtod(end, nullptr);
  }
  if (s.blobs.contains("best")) {
    const std::string& best = s.blobs.at("best");
    watch_.improved_at = std::stoll(s.blobs.at("improved_at"));
    watch_.best.resize(best.size() / sizeof(double));
    std::memcpy(watch_.best.data(), best.data(), best.size());
  }
  for (const auto& [name, bytes] : s.blobs) {
    const std::string prefix = "kept.";
    if (!name.starts_with(prefix)) continue;
    const std::string which = name.substr(prefix.size());
    kept_[which] = {std::stoll(s.blobs.at("kept_at." + which)), bytes};
  }
  batches_.seek(s.step);
}

void Trainer::run() {
  declare();
  Index step = 0;
  if (const auto saved = recorder_.restore()) {
    restore(*saved);
    step = saved->step;
  } else {
    initial_parameters();
    if (wants("initial")) keep("initial", 0);
    if (!after(0)) return give_up(0);
  }
  std::vector<double> seconds;  // of steps alone
  seconds.reserve(static_cast<std::size_t>(last_step_ - step));
  while (step < last_step_) {
    stop_or_checkpoint(step);
    const auto began = std::chrono::steady_clock::now();
    const bool sound = train_step(step);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (seconds.empty()) {
      // Whoever started the command, and when, tells how long its user waited for it.
      const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
      recorder_.measure("clock/first_step", "s since 1970", now.count());
    }
    seconds.push_back(took.count());
    if (profile_) profile_->end_step();
    ++step;
    if (!sound || !after(step)) return give_up(step);
  }
  if (!seconds.empty()) {
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    recorder_.measure("time/step", "s", *middle);
  }
  recorder_.measure("memory/step", "B", static_cast<double>(learner_.memory_high_water()));
  test_chosen();
}

bool Trainer::train_step(Index step) {
  {
    const ProfileSpan span(profile_, "batch");
    if (augmenter_.any()) {
      batch_.assemble_augmented(*data_.images(), batches_.next(), augmenter_, step);
    } else {
      batch_.assemble(data_, Split::train, batches_.next());
    }
  }
  auto result = learner_.differentiate(batch_, step);
  probe(&Probe::at_gradient, step);
  learner_.update(step, result);
  probe(&Probe::at_update, step);
  const double filled = static_cast<double>(batch_.n_tokens() + batch_.n_queries()) /
                        static_cast<double>(options_.train.batch_tokens);
  const double row[] = {result.loss, result.accuracy, result.grad_norm, result.lr, filled};
  recorder_.row("train", step + 1, std::span(row).first(train_metrics_.size()));
  recorder_.emit(Stepped{.step = step + 1, .loss = result.loss});
  return std::isfinite(result.loss) && std::isfinite(result.grad_norm);
}

// What follows an update (or, at step 0, the initial parameters).
bool Trainer::after(Index step) {
  const bool due = step == last_step_ || (step > 0 && step % options_.train.eval_every == 0);
  const bool sound = !due || evaluate_and_choose(step);
  const bool last = step == last_step_;  // which the evaluation may have decided
  if (wants(std::to_string(step))) keep(std::to_string(step), step);
  if (step % options_.results.hash_every == 0 || last) recorder_.hash(step, hash64(values()));
  if (last && wants("last")) keep("last", step);
  probe(&Probe::at_state, step);
  return sound;
}

void Trainer::probe(Probe::Row (Probe::*moment)(Index), Index step) {
  for (const auto& probe : probes_)
    if (const Probe::Row row = (*probe.*moment)(step))
      recorder_.probe_row(probe->table().name, step, *row);
}

bool Trainer::evaluate_and_choose(Index step) {
  const bool by_last = options_.select.how == SelectOptions::How::last;
  double score = 0;
  bool finite = true;
  if (!val_metrics_.empty()) {
    const std::vector<double> row = measured(Split::val, scored(evaluate(Split::val)));
    recorder_.row("val", step, row);
    Evaluated event{.step = step, .metrics = {}};
    for (std::size_t i = 0; i < row.size(); ++i) {
      event.metrics.emplace_back("val/" + val_metrics_[i].name, row[i]);
      if (val_metrics_[i].name == options_.select.metric()) score = row[i];
      if (val_metrics_[i].name == "loss") finite = std::isfinite(row[i]);
    }
    recorder_.emit(event);
    watch(step, row);
  }
  // Broken on validation data is diverged, though the last batch of training did not see it.
  if (!finite) return false;
  const bool less = options_.select.goal == SelectOptions::Goal::minimize;
  // The first of equals stays.
  const bool better = chosen_.step < 0 || (less ? score < chosen_.score : score > chosen_.score);
  if (by_last || better) chosen_ = {step, score, values()};
  return true;
}

// Ends training at this step when nothing has become better for too long.
void Trainer::watch(Index step, const std::vector<double>& val) {
  if (!options_.train.stop) return;
  const std::vector<std::string>& paths = options_.train.stop->metrics;
  const bool first = watch_.best.empty();
  watch_.best.resize(paths.size());
  bool better = first;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t k = 0; k < val.size(); ++k) {
      if ("val/" + val_metrics_[k].name != paths[i]) continue;
      const bool less = val_metrics_[k].goal == "minimize";
      const bool improved = first || (less ? val[k] < watch_.best[i] : val[k] > watch_.best[i]);
      if (improved) watch_.best[i] = val[k];
      better = better || improved;
    }
  }
  if (better) watch_.improved_at = step;
  if (step - watch_.improved_at >= options_.train.stop->patience) last_step_ = step;
}

void Trainer::stop_or_checkpoint(Index step) {
  const auto stop = recorder_.stop_requested();
  const auto now = std::chrono::steady_clock::now();
  const CheckpointOptions& every = options_.checkpoint;
  const bool timed = every.seconds > 0;
  const bool due = timed ? now - last_checkpoint_ > std::chrono::duration<double>(every.seconds)
                         : step > 0 && step % every.steps == 0;
  if (!due && !stop) return;
  recorder_.checkpoint(state(step));
  last_checkpoint_ = now;
  recorder_.emit(Checkpointed{.step = step});
  if (stop) throw InterruptedError(*stop, fmt::format("stopped after step {}, checkpointed", step));
}

Predictions Trainer::evaluate(Split split) {
  return predict(learner_, data_, split, batch_rule(options_.train), batch_);
}

std::vector<double> Trainer::measured(Split split, const Scored& outputs) const {
  std::vector<double> values;
  for (const MetricInfo& m : split == Split::val ? val_metrics_ : test_metrics_)
    values.push_back(classification_metric(m.name, outputs).value_or(std::nan("")));
  return values;
}

void Trainer::record_final(const std::string& split, const std::vector<double>& values,
                           const std::string& how) {
  const auto& metrics = split == "train" ? train_metrics_
                        : split == "val" ? val_metrics_
                                         : test_metrics_;
  for (std::size_t i = 0; i < values.size(); ++i)
    recorder_.content().final.push_back(
        {split, metrics[i].name, values[i], metrics[i].units, metrics[i].goal, how});
}

// The one look at the test split: with the chosen step's parameters.
void Trainer::test_chosen() {
  const std::string how = options_.select.how == SelectOptions::How::last
                              ? fmt::format("last step, {}", chosen_.step)
                              : fmt::format("best {}, step {}", options_.select.by, chosen_.step);
  RunContent& content = recorder_.content();
  content.steps = last_step_;
  for (const char* split : {"train", "val"}) {
    const MetricTable& table = content.metrics[split];
    const auto at = std::find(table.step.begin(), table.step.end(), chosen_.step);
    if (at == table.step.end()) continue;
    std::vector<double> values;
    for (const auto& series : table.values)
      values.push_back(series[static_cast<std::size_t>(at - table.step.begin())]);
    record_final(split, values, how);
  }
  set_values(chosen_.values);
  if (wants("chosen")) keep("chosen", chosen_.step);
  if (!val_metrics_.empty() && keeps_predictions("val"))
    content.predictions["val"] = evaluate(Split::val);
  if (!test_metrics_.empty()) {
    Predictions tested = evaluate(Split::test);
    const std::vector<double> row = measured(Split::test, scored(tested));
    if (keeps_predictions("test")) content.predictions["test"] = std::move(tested);
    recorder_.row("test", chosen_.step, row);
    record_final("test", row, how);
    for (std::size_t i = 0; i < row.size(); ++i)
      if (test_metrics_[i].name == "loss" && !std::isfinite(row[i])) content.status = "diverged";
  }
  save_weights();
}

// A diverged run is an outcome: its series end where it broke, its finals are not numbers.
void Trainer::give_up(Index step) {
  RunContent& content = recorder_.content();
  content.status = "diverged";
  content.steps = step;
  const std::string how = fmt::format("diverged at step {}", step);
  for (const auto& [split, metrics] :
       {std::pair{"train", &train_metrics_}, {"val", &val_metrics_}, {"test", &test_metrics_}})
    record_final(split, std::vector<double>(metrics->size(), std::nan("")), how);
  save_weights();
}

namespace {

bool holds(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

bool Trainer::wants(const std::string& which) const {
  return holds(options_.results.save_parameters, which);
}

bool Trainer::keeps_predictions(const std::string& split) const {
  return holds(options_.results.predictions, split);
}

void Trainer::keep(const std::string& which, Index step) { kept_[which] = {step, values()}; }

void Trainer::save_weights() {
  const Registry& registry = learner_.registry();
  for (const std::string& which : options_.results.save_parameters) {
    const auto kept = kept_.find(which);
    if (kept == kept_.end()) continue;  // a step that the run did not reach
    const bool numbered = which.find_first_not_of("0123456789") == std::string::npos;
    WeightSet set{numbered ? "step" + which : which, kept->second.step, {}};
    set_values(kept->second.values);
    for (const ParameterId id : registry.by_name()) {
      const View<float> x = learner_.value(id);
      set.tensors.push_back({registry[id].name, registry[id].shape, {x.begin(), x.end()}});
    }
    recorder_.content().weights.push_back(std::move(set));
  }
}

std::string Trainer::values() const { return bytes_of(learner_.values()); }

void Trainer::set_values(const std::string& bytes) { copy_bytes(bytes, learner_.values()); }

}  // namespace attune
