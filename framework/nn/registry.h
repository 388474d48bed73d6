#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "base/philox.h"

namespace attune {

// How a parameter begins (nn/initialise.h has the formulas). Fans are those of the whole tensor:
// [d_out, d_in], or [rows, d].
struct Initialiser {
  enum class Kind {
    zeros,
    ones,
    normal,
    xavier_uniform,
    xavier_normal,
    kaiming_uniform,
    kaiming_normal,
    torch_linear,
    values,
    orthogonal
  };
  Kind kind = Kind::zeros;
  double scale = 1.0;                // normal: the standard deviation; of the others a factor
  std::vector<double> numbers = {};  // values: one an element

  static Initialiser zeros() { return {Kind::zeros, 0}; }
  static Initialiser ones() { return {Kind::ones, 1}; }
  static Initialiser normal(double sd) { return {Kind::normal, sd}; }
  static Initialiser values(std::vector<double> v) { return {Kind::values, 1, std::move(v)}; }
  // Rows [m, d] of orthogonal blocks as long as Gaussian ones (kernels/random.h).
  static Initialiser orthogonal() { return {Kind::orthogonal}; }
  // Glorot & Bengio 2010: U(−a, a), a = gain·sqrt(6 / (d_in + d_out)).
  static Initialiser xavier_uniform(double gain = 1.0) { return {Kind::xavier_uniform, gain}; }
};

// Whether weight decay applies: to matrices, not to biases, gains, positions and tokens.
enum class Decay { yes, no };

struct ParameterId {
  int value = -1;
};
struct StreamId {
  int value = -1;
};

// A model's parameters and random streams by path name ("encoder.block0.attention.wq"). Building a
// model registers them; names are unique and so are the streams' keys, so that adding a layer
// changes no other layer's draws. finish() lays the parameters out in one block, in order of name.
class Registry {
 public:
  struct Parameter {
    std::string name;
    Shape shape;
    Initialiser init;
    Decay decay;
    Index offset = 0;  // in the block, a multiple of 16 elements
  };

  ParameterId parameter(const std::string& name, const Shape& shape, Initialiser init, Decay decay);
  StreamId stream(const std::string& name);
  // How weights begin that are registered from here on: those of linear maps, and of the linear
  // maps that write into a residual stream.
  void set_weights(Initialiser weights, Initialiser residual) {
    weights_ = std::move(weights);
    residual_ = std::move(residual);
  }
  Initialiser weights() const { return weights_; }
  Initialiser residual_weights() const { return residual_; }
  void finish();

  const Parameter& operator[](ParameterId id) const {
    return parameters_[static_cast<std::size_t>(id.value)];
  }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<std::string>& streams() const { return streams_; }
  // Ids of the parameters in order of name.
  const std::vector<ParameterId>& by_name() const { return by_name_; }
  Index block_size() const { return block_size_; }      // elements, padding included
  Index n_parameters() const { return n_parameters_; }  // elements, without padding

 private:
  std::vector<Parameter> parameters_;
  std::vector<std::string> streams_;
  std::map<std::string, int> names_;
  std::vector<ParameterId> by_name_;
  Initialiser weights_ = Initialiser::xavier_uniform();
  Initialiser residual_ = Initialiser::xavier_uniform();
  Index block_size_ = 0, n_parameters_ = 0;
};

// One block of numbers laid out as a registry says: values, gradients or moments.
template <class Real>
class ParameterBlock {
 public:
  explicit ParameterBlock(const Registry& registry);
  View<Real> all() const { return all_; }
  View<Real> operator[](ParameterId id) const {
    const Registry::Parameter& p = (*registry_)[id];
    return View<Real>(all_.data() + p.offset, p.shape);
  }

 private:
  const Registry* registry_;
  Arena memory_;
  View<Real> all_;
};

// Fills each parameter from its own stream, (seed, "init", name).
template <class Real>
void initialise(const Registry& registry, std::uint64_t seed, const ParameterBlock<Real>& values);

extern template class ParameterBlock<float>;
extern template class ParameterBlock<double>;

}  // namespace attune
