"""A bag-of-words classifier: vocabulary, Embedding, EmbeddingBag, padding, frozen vectors, similarity of words."""
from collections import Counter
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

torch.manual_seed(9)
reviews = [
    ("a great great movie", 1), ("truly bad plot", 0), ("great acting and a lovely story", 1), ("boring and bad", 0),
    ("lovely lovely film", 1), ("i hated the boring story", 0), ("the acting was lovely", 1), ("bad bad bad", 0),
]
counter = Counter(w for text, _ in reviews for w in text.split())
itos = ["<unk>", "<pad>"] + [w for w, c in sorted(counter.items(), key=lambda x: (-x[1], x[0]))]
stoi = {w: i for i, w in enumerate(itos)}
print(len(itos), counter.most_common(3), itos[:6])
pipeline = lambda text: [stoi.get(w, 0) for w in text.split()]


def collate_batch(batch):
    labels, texts, offsets = [], [], [0]
    for text, label in batch:
        labels.append(label)
        ids = torch.tensor(pipeline(text), dtype=torch.int64)
        texts.append(ids)
        offsets.append(ids.size(0))
    return torch.tensor(labels), torch.cat(texts), torch.tensor(offsets[:-1]).cumsum(dim=0)


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, mode="mean")
        self.fc = nn.Linear(embed_dim, num_class)
        self.init_weights()

    def init_weights(self):
        initrange = 0.5
        self.embedding.weight.data.uniform_(-initrange, initrange)
        self.fc.weight.data.uniform_(-initrange, initrange)
        self.fc.bias.data.zero_()

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


model = TextClassificationModel(len(itos), 6, 2)
print(model)
loader = DataLoader(reviews, batch_size=4, shuffle=True, collate_fn=collate_batch)
criterion = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.5)
for epoch in range(1, 9):
    total_acc, total_count = 0, 0
    for idx, (label, text, offsets) in enumerate(loader):
        optimizer.zero_grad()
        predicted = model(text, offsets)
        loss = criterion(predicted, label)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        total_acc += (predicted.argmax(1) == label).sum().item()
        total_count += label.size(0)
    scheduler.step()
    if epoch % 2 == 0:
        print("| epoch {:3d} | {:5d} batches | accuracy {:8.3f} | lr {:.3f}".format(epoch, len(loader), total_acc / total_count, scheduler.get_last_lr()[0]))
with torch.no_grad():
    out = model(torch.tensor(pipeline("a lovely unknown film")), torch.tensor([0]))
    print(out, F.softmax(out, 1), out.argmax(1).item())
emb = nn.Embedding(len(itos), 4, padding_idx=1)
print(emb, emb.weight[:3], emb(torch.LongTensor([[1, 2, 2], [3, 1, 0]])))
seqs = [torch.tensor(pipeline(t)) for t, _ in reviews[:3]]
longest = max(len(s) for s in seqs)
padded = torch.full((3, longest), stoi["<pad>"])
for i, s in enumerate(seqs):
    padded[i, : len(s)] = s
mask = (padded != 1).unsqueeze(-1)
vectors = (emb(padded) * mask).sum(1) / mask.sum(1)
print(padded, vectors)
vectors.sum().backward()
print(emb.weight.grad[:5], emb.weight.grad[1].abs().sum())
frozen = nn.Embedding.from_pretrained(torch.eye(3), freeze=True)
print(frozen, frozen.weight.requires_grad, frozen(torch.tensor([2, 0])))
E = F.normalize(model.embedding.weight.detach(), dim=1)
sim = E @ E.t()
values, idx = sim[stoi["lovely"]].topk(3)
print(values[0], [itos[i] for i in idx][0], F.cosine_similarity(E[2:4], E[4:6]), nn.CosineSimilarity(dim=0)(E[2], E[3]))
bag = nn.EmbeddingBag(5, 2, mode="sum")
bag.weight.data = torch.arange(10.0).view(5, 2)
print(bag(torch.tensor([[0, 1], [3, 4]])), bag(torch.tensor([0, 1, 2]), torch.tensor([0, 2]), per_sample_weights=torch.tensor([1.0, 0.5, 2.0])))
dist = nn.PairwiseDistance()(E[:2], E[2:4])
print(dist, torch.cdist(E[:2], E[2:4]))
