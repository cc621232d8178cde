"""JAX: the whole iteration, Adam included, compiled as one program; tasks along a mapped axis, images channels-last."""

import functools

import jax
import jax.numpy as jnp
import numpy


class Jax:
    def __init__(self, problem):
        jax.config.update("jax_enable_x64", problem.dtype == "float64")
        self.problem = problem
        self.weights = {k: jnp.asarray(self.turned(k, v)) for k, v in problem.weights.items()}
        images = (lambda x: numpy.moveaxis(x, 2, -1)) if problem.images else (lambda x: x)
        self.tasks = tuple(jnp.asarray(v) for v in (images(problem.support_x), problem.support_y,
                                                    images(problem.query_x), problem.query_y))
        zeros = {k: jnp.zeros_like(v) for k, v in self.weights.items()}
        self.state = (self.weights, zeros, zeros, jnp.zeros((), dtype=problem.dtype))
        # Not compiled in float64: XLA 0.10.2 then answers wrong losses and NaN gradients on a CPU (64 channels).
        gradient = jax.value_and_grad(self.mean_loss)
        self.gradient = gradient if problem.dtype == "float64" else jax.jit(gradient)
        self.step = jax.jit(self.adam_step)

    @staticmethod
    def turned(name, value):
        """Kernels as [k,k,C,O]."""
        return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value

    def features(self, w, x):
        if not self.problem.images:
            for layer in range(1, self.problem.layers + 1):
                x = jax.nn.relu(x @ w[f"layer{layer}.weight"].T + w[f"layer{layer}.bias"])
            return x
        for block in range(1, self.problem.layers + 1):
            name = f"block{block}."
            x = jax.lax.conv_general_dilated(x, w[name + "conv.weight"], (1, 1), "SAME",
                                             dimension_numbers=("NHWC", "HWIO", "NHWC")) + w[name + "conv.bias"]
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            x = (x - mean) * jax.lax.rsqrt(variance + self.problem.eps) * w[name + "norm.weight"] + w[name + "norm.bias"]
            n, h, width, c = x.shape
            windows = jax.nn.relu(x)[:, :h // 2 * 2, :width // 2 * 2].reshape(n, h // 2, 2, width // 2, 2, c)
            x = windows.max((2, 4))
        return jnp.moveaxis(x, -1, 1).reshape(len(x), -1)

    def loss(self, w, x, y):
        outputs = self.features(w, x) @ w["head.weight"].T + w["head.bias"]
        if not self.problem.images:
            return jnp.square(outputs - y).mean()
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1).mean()

    def one(self, w, support_x, support_y, query_x, query_y):
        for _ in range(self.problem.train_steps):
            gradients = jax.grad(self.loss)(w, support_x, support_y)
            w = {k: v - self.problem.inner_lr * gradients[k] for k, v in w.items()}
        return self.loss(w, query_x, query_y)

    def mean_loss(self, w, tasks):
        return jax.vmap(functools.partial(self.one, w))(*tasks).mean()

    def adam_step(self, state, tasks):
        w, first, second, count = state
        gradients = jax.grad(self.mean_loss)(w, tasks)
        count = count + 1
        first = {k: 0.9 * v + 0.1 * gradients[k] for k, v in first.items()}
        second = {k: 0.999 * v + 0.001 * gradients[k] ** 2 for k, v in second.items()}
        rate = self.problem.lr * jnp.sqrt(1 - 0.999 ** count) / (1 - 0.9 ** count)
        w = {k: v - rate * first[k] / (jnp.sqrt(second[k]) + 1e-8) for k, v in w.items()}
        return w, first, second, count

    def learn(self):
        loss, gradients = self.gradient(self.weights, self.tasks)
        back = lambda v: numpy.asarray(v).transpose(3, 2, 0, 1) if v.ndim == 4 else numpy.asarray(v)
        return float(loss), {k: back(v) for k, v in gradients.items()}

    def iterate(self):
        self.state = jax.block_until_ready(self.step(self.state, self.tasks))
