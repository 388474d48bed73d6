#pragma once

#include <memory>
#include <vector>

#include "datasets/packer.h"
#include "datasets/phantoms.h"
#include "nn/transformer.h"
#include "train/learner.h"

namespace attune {

// A small ViT on phantoms, as quickstart has it, with every source of randomness on.
struct LearnerFixture {
  VitOptions model;
  LearnerOptions options;  // of the model: learner()
  std::unique_ptr<Dataset> data;

  explicit LearnerFixture(Index d_model = 64, double dropout = 0.1) {
    model.patch = 8;
    model.d_model = d_model;
    model.n_layers = 2;
    model.n_heads = 4;
    model.mlp_ratio = 2;
    model.dropout = dropout;
    model.attention.dropout = dropout;
    model.position_size = 4;  // most grids are larger: positions are interpolated
    options.optim.adamw.clip_norm = 1.0;
    options.schedule.cosine.warmup = 5;
    options.steps = 50;
    PhantomsOptions phantoms;
    phantoms.n_train = 128;
    phantoms.n_val = phantoms.n_test = 48;
    data = phantoms.open({model.patch, 0});
  }

  LearnerOptions learner() const {
    LearnerOptions o = options;
    o.model = &model;
    return o;
  }

  BatchSequence batches(Index tokens) const {
    return BatchSequence(Packer(data->lengths(Split::train), {tokens, 0}, 0));
  }
};

}  // namespace attune
