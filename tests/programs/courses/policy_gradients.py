"""REINFORCE and an actor-critic on small problems, with torch.distributions and a quickstart's choice of a device."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical, Independent, Normal, kl_divergence
from torch.distributions.multivariate_normal import MultivariateNormal

device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
print(f"Using {device} device")
torch.manual_seed(543)


class Corridor:
    """Walk to the right end of a corridor."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.x, self.t = 0.0, 0
        return self.state()

    def state(self):
        return np.array([self.x, self.t / 20, self.rng.normal() * 0.1, 1.0])

    def step(self, action):
        self.x += (0.3 if action == 1 else -0.3) + 0.05 * self.rng.normal()
        self.t += 1
        return self.state(), 1.0 - abs(self.x - 0.5), abs(self.x) > 2 or self.t >= 20


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(4, 32)
        self.dropout = nn.Dropout(p=0.4)
        self.affine2 = nn.Linear(32, 2)
        self.saved_log_probs, self.rewards = [], []

    def forward(self, x):
        return F.softmax(self.affine2(F.relu(self.dropout(self.affine1(x)))), dim=1)


policy, env = Policy().to(device), Corridor(0)
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
eps = np.finfo(np.float32).eps.item()
for episode in range(1, 13):
    state, total = env.reset(), 0.0
    while True:
        probs = policy(torch.from_numpy(state).float().unsqueeze(0))
        m = Categorical(probs)
        action = m.sample()
        policy.saved_log_probs.append(m.log_prob(action))
        state, reward, done = env.step(action.item())
        policy.rewards.append(reward)
        total += reward
        if done:
            break
    R, returns = 0, []
    for r in policy.rewards[::-1]:
        R = r + 0.99 * R
        returns.insert(0, R)
    returns = torch.tensor(returns)
    returns = (returns - returns.mean()) / (returns.std() + eps)
    loss = torch.cat([-log_prob * R for log_prob, R in zip(policy.saved_log_probs, returns)]).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    policy.saved_log_probs, policy.rewards = [], []
    if episode % 4 == 0:
        print(f"Episode {episode}\tLast reward: {total:.2f}\tloss: {loss.item():.4f}\tentropy {m.entropy().item():.4f}")


class Actor(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))
        self.log_std = nn.Parameter(torch.zeros(2))
        self.critic = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x):
        return Independent(Normal(self.mean(x), self.log_std.exp()), 1), self.critic(x).squeeze(-1)


actor = Actor()
optimizer = optim.AdamW(actor.parameters(), lr=3e-3)
for update in range(4):
    states = torch.randn(64, 3)
    with torch.no_grad():
        old, values = actor(states)
        actions = old.sample()
        rewards = -(actions - states[:, :2]).pow(2).sum(1)
        advantages = rewards - values
        log_probs = old.log_prob(actions)
    for rows in torch.randperm(64).split(16):
        dist, value = actor(states[rows])
        ratio = (dist.log_prob(actions[rows]) - log_probs[rows]).exp()
        advantage = advantages[rows]
        clipped = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        loss = -clipped.mean() + 0.5 * F.mse_loss(value, rewards[rows]) - 0.01 * dist.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(actor.parameters(), 0.5)
        optimizer.step()
    new, _ = actor(states)
    print(f"update {update} loss {loss.item():.4f} reward {rewards.mean():.4f} kl {kl_divergence(old, new).mean():.5f}")

print(new, Categorical(logits=torch.zeros(3)), Normal(0.0, 1.0))
mvn = MultivariateNormal(torch.zeros(2), torch.tensor([[2.0, 0.5], [0.5, 1.0]]))
print(mvn.log_prob(torch.ones(2)), mvn.sample((2,)).shape, mvn.entropy())
try:
    Normal(torch.zeros(2), torch.tensor([1.0, -1.0]))
except ValueError as error:
    print(error)
