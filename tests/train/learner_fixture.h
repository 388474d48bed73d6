#pragma once

#include <memory>
#include <vector>

#include "datasets/packer.h"
#include "datasets/phantoms.h"
#include "train/learner.h"

namespace attune {

// A small ViT on phantoms, as quickstart has it, with every source of randomness on.
struct LearnerFixture {
  LearnerOptions options;
  std::unique_ptr<Dataset> data;

  explicit LearnerFixture(Index d_model = 64, double dropout = 0.1) {
    options.model.patch = 8;
    options.model.d_model = d_model;
    options.model.n_layers = 2;
    options.model.n_heads = 4;
    options.model.mlp_ratio = 2;
    options.model.dropout = dropout;
    options.model.attention.dropout = dropout;
    options.model.position_size = 4;  // most grids are larger: positions are interpolated
    options.optim.adamw.clip_norm = 1.0;
    options.schedule.cosine.warmup = 5;
    options.steps = 50;
    PhantomsOptions phantoms;
    phantoms.n_train = 128;
    phantoms.n_val = phantoms.n_test = 48;
    data = phantoms.open({options.model.patch, 0});
  }

  BatchSequence batches(Index tokens) const {
    return BatchSequence(Packer(data->n_tokens(Split::train), {tokens, 0}, 0));
  }
};

}  // namespace attune
