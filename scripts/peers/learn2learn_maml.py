"""learn2learn's own MAML class on a module of ours. Its package needs gym, torchvision and compiled extensions to be
imported as a whole; the class needs none of them, so that only its file and what it imports are loaded."""

import sys
import types

import torch
import torch.nn.functional as F

from peers.torch_eager import TorchEager


def maml_class(source):
    for name in ("learn2learn", "learn2learn.algorithms"):
        package = types.ModuleType(name)
        package.__path__ = [str(source.joinpath(*name.split(".")))]
        sys.modules[name] = package
    from learn2learn.algorithms.maml import MAML
    return MAML


class Net(torch.nn.Module):
    """The weights of kshot's names, dots replaced, and the functional network over them."""

    def __init__(self, peer):
        super().__init__()
        self.peer = [peer]  # not a module of ours
        for name, value in peer.weights.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(value.detach().clone()))

    def forward(self, x):
        w = {name: getattr(self, name.replace(".", "_")) for name in self.peer[0].weights}
        return F.linear(self.peer[0].features(w, x), w["head.weight"], w["head.bias"])


class Learn2Learn(TorchEager):
    def __init__(self, problem, source):
        super().__init__(problem)
        self.criterion = F.cross_entropy if problem.images else F.mse_loss
        self.maml = maml_class(source)(Net(self), lr=problem.inner_lr, first_order=False)
        self.optimizer = torch.optim.Adam(self.maml.parameters(), lr=problem.lr)

    def backward(self):
        total = 0.0
        for t in range(self.problem.tasks):
            learner = self.maml.clone()
            for _ in range(self.problem.train_steps):
                learner.adapt(self.criterion(learner(self.support_x[t]), self.support_y[t]))
            loss = self.criterion(learner(self.query_x[t]), self.query_y[t])
            loss.backward()
            total += loss.item()
        for parameter in self.maml.parameters():
            parameter.grad.div_(self.problem.tasks)
        return total / self.problem.tasks

    def learn(self):
        self.optimizer.zero_grad()
        loss = self.backward()
        return loss, {name: p.grad.clone() for name, p in zip(self.weights, self.maml.parameters())}

    def iterate(self):
        self.optimizer.zero_grad()
        self.backward()
        self.optimizer.step()
