#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/diagnostics.h"
#include "experiments/kinds.h"
#include "study/study_config.h"
#include "tests/small_images.h"
#include "tests/storage/sample.h"

namespace attune {

// Studies on a small dataset file, given by their text.
class StudyTest : public testing::Test {
 protected:
  StudyTest() { write_small_images(folder / "small.h5"); }

  // An experiment of kind train on the file; `split` stands behind data.split.
  std::string experiment(const std::string& split, const std::string& more = "") const {
    return "schema: attune/experiment@1\nname: t\nkind: train\ndata:\n  kind: images\n  file: " +
           (folder / "small.h5") + "\n  split: " + split +
           "\nmodel: {kind: vit, patch: 8, d_model: 16, n_heads: 2, n_layers: 1}\n"
           "train: {steps: 4, eval_every: 2}\nschedule: {kind: cosine, warmup: 1}\n" +
           more;
  }
  static Study load(const std::string& text, std::vector<std::string> overrides = {}) {
    LoadOptions options;
    options.path = "t.yaml";
    options.text = text;
    options.overrides = std::move(overrides);
    return load_study(options, all_kinds());
  }
  // The first error's text.
  static std::string error_of(const std::string& text, std::vector<std::string> overrides = {}) {
    try {
      plan_trials(load(text, std::move(overrides)));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder;
};

}  // namespace attune
