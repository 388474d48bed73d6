#include "nn/registry.h"

#include <algorithm>
#include <cmath>

#include "kernels/random.h"

namespace attune {

ParameterId Registry::parameter(const std::string& name, const Shape& shape, Initialiser init,
                                Decay decay) {
  const int id = static_cast<int>(parameters_.size());
  ATTUNE_CHECK(names_.emplace(name, id).second, ShapeError,
               "[model] two parameters are named '{}'; a name belongs to one", name);
  parameters_.push_back({name, shape, std::move(init), decay});
  return {id};
}

StreamId Registry::stream(const std::string& name) {
  for (const std::string& other : streams_) {
    ATTUNE_CHECK(other != name, ShapeError, "[model] two random streams are named '{}'", name);
    ATTUNE_CHECK(hash64("dropout/" + other) != hash64("dropout/" + name), ShapeError,
                 "[model] the random streams '{}' and '{}' have the same key; rename one", name,
                 other);
  }
  streams_.push_back(name);
  return {static_cast<int>(streams_.size()) - 1};
}

void Registry::finish() {
  constexpr Index kAlign = 16;
  by_name_.clear();
  block_size_ = n_parameters_ = 0;
  for (const auto& [name, id] : names_) {  // a map: in order of name
    Parameter& p = parameters_[static_cast<std::size_t>(id)];
    p.offset = block_size_;
    block_size_ += (p.shape.size() + kAlign - 1) / kAlign * kAlign;
    n_parameters_ += p.shape.size();
    by_name_.push_back({id});
  }
}

template <class Real>
ParameterBlock<Real>::ParameterBlock(const Registry& registry)
    : registry_(&registry),
      memory_(static_cast<std::size_t>(registry.block_size()) * sizeof(Real) + 64),
      all_(memory_.zeros<Real>({registry.block_size()})) {}

namespace {

// Standard deviation of normal initialisers, half width of uniform ones.
double spread(const Initialiser& init, const Shape& shape) {
  const auto d_out = static_cast<double>(shape[0]);
  const double d_in = shape.rank() > 1 ? static_cast<double>(shape[1]) : 1.0;
  switch (init.kind) {
    case Initialiser::Kind::xavier_uniform:
      return init.scale * std::sqrt(6.0 / (d_in + d_out));
    case Initialiser::Kind::xavier_normal:
      return init.scale * std::sqrt(2.0 / (d_in + d_out));
    case Initialiser::Kind::kaiming_uniform:
      return init.scale * std::sqrt(6.0 / d_in);
    case Initialiser::Kind::kaiming_normal:
      return init.scale * std::sqrt(2.0 / d_in);
    case Initialiser::Kind::torch_linear:
      return init.scale / std::sqrt(d_in);
    case Initialiser::Kind::normal:
    case Initialiser::Kind::zeros:
    case Initialiser::Kind::ones:
    case Initialiser::Kind::values:
    case Initialiser::Kind::orthogonal:
      break;
  }
  return init.scale;
}

}  // namespace

template <class Real>
void initialise(const Registry& registry, std::uint64_t seed, const ParameterBlock<Real>& values) {
  for (const ParameterId id : registry.by_name()) {
    const Registry::Parameter& p = registry[id];
    const View<Real> x = values[id];
    const Stream stream(seed, "init", p.name);
    const double s = spread(p.init, p.shape);
    switch (p.init.kind) {
      case Initialiser::Kind::zeros:
        std::fill(x.begin(), x.end(), Real(0));
        break;
      case Initialiser::Kind::ones:
        std::fill(x.begin(), x.end(), Real(1));
        break;
      case Initialiser::Kind::normal:
      case Initialiser::Kind::xavier_normal:
      case Initialiser::Kind::kaiming_normal:
        kernels::fill_normal<Real>(stream, s, x);
        break;
      case Initialiser::Kind::values:
        ATTUNE_CHECK(static_cast<Index>(p.init.numbers.size()) == x.size(), ShapeError,
                     "[model] '{}' has {} elements, and begins with {} values", p.name, x.size(),
                     p.init.numbers.size());
        for (Index i = 0; i < x.size(); ++i)
          x[i] = static_cast<Real>(p.init.numbers[static_cast<std::size_t>(i)]);
        break;
      case Initialiser::Kind::orthogonal:
        kernels::fill_orthogonal<Real>(stream, x);
        break;
      case Initialiser::Kind::xavier_uniform:
      case Initialiser::Kind::kaiming_uniform:
      case Initialiser::Kind::torch_linear:
        kernels::fill_uniform<Real>(stream, -s, s, x);
        break;
    }
  }
}

template class ParameterBlock<float>;
template class ParameterBlock<double>;
template void initialise<float>(const Registry&, std::uint64_t, const ParameterBlock<float>&);
template void initialise<double>(const Registry&, std::uint64_t, const ParameterBlock<double>&);

}  // namespace attune
