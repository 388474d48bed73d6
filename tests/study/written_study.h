#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/files.h"
#include "experiments/kinds.h"
#include "storage/study_folder.h"
#include "study/report.h"
#include "study/study_config.h"
#include "tests/storage/sample.h"

namespace attune {

// A study whose run files are written, not trained: what reports and claims say of numbers that are
// known.
class WrittenStudy {
 public:
  // What a trial leaves; its finals are empty when it is asked for.
  using Leave = std::function<void(const Trial& trial, RunContent& content, RunMetadata& metadata)>;

  explicit WrittenStudy(const std::string& text) : study(load(text)) {
    Diagnostics diagnostics;
    claims = read_claims(study.said.claims, study, diagnostics);
    diagnostics.raise();
    trials = plan_places(study);
  }

  static Study load(const std::string& text) {
    LoadOptions options;
    options.path = "t.yaml";
    options.text = text;
    return load_study(options, all_kinds());
  }

  // One run file a trial, but for those that are left out (status empty). `data` is the content's
  // hash, by default another one for each seed, as generated data have it.
  void write(const Leave& leave, const std::function<std::string(const Trial&)>& data = {}) {
    for (Trial trial : trials) {
      trial.data_sha256 = data ? data(trial) : fmt::format("{:064d}", trial.seed);
      RunContent content;
      RunMetadata metadata;
      leave(trial, content, metadata);
      if (content.status.empty()) continue;
      if (auto running = folder.start(trial)) running->finish(trial, content, metadata);
    }
    folder.refresh();
  }
  // The same of one metric.
  void write_metric(const std::string& split, const std::string& name,
                    const std::function<double(const Trial&)>& value) {
    write([&](const Trial& trial, RunContent& content, RunMetadata&) {
      content.final.push_back({split, name, value(trial), "1", "maximize", "last"});
    });
  }

  StudyReport report() const { return report_of(study, claims, trials, folder); }
  Judgement judged(const std::string& id) const {
    for (const StudyReport::JudgedClaim& claim : report().claims)
      if (claim.claim.id == id) return claim.judgement;
    throw std::out_of_range(id);
  }

  TemporaryFolder place;
  StudyFolder folder{place / "study"};
  Study study;
  std::vector<Claim> claims;
  std::vector<Trial> trials;
};

// A sweep over optim.lr of a small experiment.
inline std::string sweep_text(const std::string& rates, const std::string& seeds,
                              const std::string& claims, const std::string& more = "") {
  return "schema: attune/sweep@1\nname: t\nbase: {kind: train, data: {kind: phantoms}, model: "
         "{kind: "
         "vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1}, train: {steps: 4, eval_every: 2}, "
         "schedule: {kind: cosine, warmup: 1}" +
         more + "}\nmethod: grid\nparameters: {optim.lr: {values: " + rates +
         "}}\nseeds: " + seeds + "\n" + (claims.empty() ? "" : "claims:\n" + claims);
}

}  // namespace attune
