#include "train/probes/residual_norms.h"

#include <cmath>

#include "kernels/optimiser.h"

namespace attune {
namespace {

class ResidualNorms : public Probe {
 public:
  ResidualNorms(const ResidualNormsOptions& options, const ProbeSubject& subject)
      : options_(options), look_(subject, Split::val, options.examples(subject.data)) {}

  ProbeTable table() const override {
    ProbeTable table = options_.info().table();
    table.dimensions[1].numbers = counted(n_layers());
    return table;
  }

  Row at_state(Index step) override {
    if (!options_.due(step, *look_.subject().steps)) return {};
    const auto n = static_cast<std::size_t>(n_layers());
    std::vector<double> row(4 * n, 0.0);
    double elements = 0;
    look_.each([&](std::size_t, const Tape<float>& tape, const Capture<float>& seen) {
      const auto square = [&](Var x) { return kernels::squared_norm<float>(tape.value(x)); };
      for (std::size_t i = 0; i < n; ++i) {
        row[i] += square(seen.blocks[i].input);
        row[n + i] += square(seen.branches[2 * i]);
        row[2 * n + i] += square(seen.branches[2 * i + 1]);
        row[3 * n + i] += square(seen.blocks[i].output);
      }
      elements += static_cast<double>(tape.shape(seen.blocks[0].input).size());
    });
    for (double& x : row) x = std::sqrt(x / elements);
    return row;
  }

 private:
  Index n_layers() const { return look_.subject().model.encoder()->n_layers; }

  ResidualNormsOptions options_;
  Look look_;
};

}  // namespace

const ProbeInfo& ResidualNormsOptions::info() const {
  static const ProbeInfo info{
      "residual_norms",
      "root mean square of the residual stream and of what each block adds to it",
      {"step", "layer"},
      {{"input", "1", "root mean square of the residual stream that enters the block"},
       {"attention", "1", "the same of what its attention adds"},
       {"mlp", "1", "the same of what its feed-forward layer adds"},
       {"output", "1", "the same of the stream that leaves the block"}},
      "over all rows of the first validation examples, without dropout, with the parameters after "
      "`step` updates"};
  return info;
}

std::unique_ptr<Probe> ResidualNormsOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<ResidualNorms>(*this, subject);
}

}  // namespace attune
