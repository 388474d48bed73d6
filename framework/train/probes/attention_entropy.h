#pragma once

#include "train/probe.h"

namespace attune {

// attention_entropy [step, layer, head]: how widely a head spreads its weights,
//   entropy  mean over queries of H_i = −Σ_j P_ij log P_ij, in nats, with 0 log 0 = 0 (Zhai et al.
//            2023)
//   share    mean over queries of H_i / log n_i, n_i the keys that its pattern lets the query see:
//            1 is uniform, 0 one key alone. Queries of one key have no share and are left out.
// over all queries of the validation examples that see a key. Keys that select leaves out are seen.
// Weights of linear attention and of the performer are those that its features mean; keys of the
// linformer are the rows that it projects to.
struct AttentionEntropyOptions : ValidationOptions {
  const ProbeInfo& info() const override;
  std::unique_ptr<Probe> make(const ProbeSubject& subject) const override;
};

}  // namespace attune
