"""Plain PyTorch: functional calls, one task after the other, two threads inside each operation."""

import torch
import torch.nn.functional as F


class TorchEager:
    def __init__(self, problem):
        torch.set_num_threads(2)
        self.problem = problem
        self.weights = {k: torch.tensor(v).requires_grad_() for k, v in problem.weights.items()}
        self.support_x, self.query_x = self.place(problem.support_x), self.place(problem.query_x)
        self.support_y, self.query_y = torch.tensor(problem.support_y), torch.tensor(problem.query_y)
        self.optimizer = torch.optim.Adam(self.weights.values(), lr=problem.lr)

    def place(self, inputs):
        """Each task's images by themselves, channels-last where that serves."""
        tasks = [torch.tensor(task) for task in inputs]
        if not self.problem.images:
            return tasks
        return [task.contiguous(memory_format=torch.channels_last) for task in tasks]

    # ---- the network

    def norm(self, x, gamma, beta):
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=self.problem.eps)

    def features(self, w, x):
        if not self.problem.images:
            for layer in range(1, self.problem.layers + 1):
                x = F.relu(F.linear(x, w[f"layer{layer}.weight"], w[f"layer{layer}.bias"]))
            return x
        for block in range(1, self.problem.layers + 1):
            name = f"block{block}."
            x = F.conv2d(x, w[name + "conv.weight"], w[name + "conv.bias"], padding=1)
            x = self.norm(x, w[name + "norm.weight"], w[name + "norm.bias"])
            x = F.max_pool2d(F.relu(x), 2)
        return x.flatten(1)

    def loss(self, w, x, y):
        outputs = F.linear(self.features(w, x), w["head.weight"], w["head.bias"])
        return F.cross_entropy(outputs, y) if self.problem.images else F.mse_loss(outputs, y)

    # ---- methods

    def adapted(self, t, steps, second_order):
        w = self.weights
        for _ in range(steps):
            gradients = torch.autograd.grad(self.loss(w, self.support_x[t], self.support_y[t]), list(w.values()),
                                            create_graph=second_order)
            w = {k: v - self.problem.inner_lr * g for (k, v), g in zip(w.items(), gradients)}
        return w

    def protonet_loss(self, t):
        support = len(self.support_x[t])
        features = self.features(self.weights, torch.cat([self.support_x[t], self.query_x[t]]))
        means = torch.stack([features[:support][self.support_y[t] == c].mean(0) for c in range(self.problem.way)])
        return F.cross_entropy(-torch.cdist(features[support:], means).square(), self.query_y[t])

    def task_loss(self, t):
        if self.problem.method == "protonet":
            return self.protonet_loss(t)
        w = self.adapted(t, self.problem.train_steps, second_order=True)
        return self.loss(w, self.query_x[t], self.query_y[t])

    def learn(self):
        total, gradients = 0.0, None
        for t in range(self.problem.tasks):
            loss = self.task_loss(t)
            found = torch.autograd.grad(loss / self.problem.tasks, list(self.weights.values()))
            gradients = found if gradients is None else [a + b for a, b in zip(gradients, found)]
            total += loss.item()
        return total / self.problem.tasks, dict(zip(self.weights, gradients))

    def iterate(self):
        _, gradients = self.learn()
        for name, weight in self.weights.items():
            weight.grad = gradients[name]
        self.optimizer.step()

    def test(self):
        total = 0.0
        for t in range(self.problem.tasks):
            w = self.adapted(t, self.problem.test_steps, second_order=False)
            with torch.no_grad():
                total += self.loss(w, self.query_x[t], self.query_y[t]).item()
        return total / self.problem.tasks
